"""Is it up, does it have what it needs, and how much did it do? No key: it must answer when nothing else does."""

from control_api.faults import Unavailable
from control_api.models import Dependency, Live, Ready
from control_api.route import Answer, Call
from firewall.errors import LedgerUnavailable


async def live(_call: Call) -> Answer:
    return Answer(content=Live())


async def ready(call: Call) -> Answer:
    context = call.context
    found = {"postgres": await _postgres(call), "opa": await _opa(call), "policy": await _policy(call)}
    if context.closing.is_set():
        found["process"] = Dependency(ok=False, detail="shutting down")
    # OPA fetches its bundle here, so to be ready only after OPA would be to wait for each other for ever.
    missing = [name for name, dependency in found.items() if not dependency.ok and name != "opa"]
    if missing:
        shown = {name: dependency.model_dump() for name, dependency in found.items()}
        raise Unavailable(f"not ready: {', '.join(missing)}", dependencies=shown)
    return Answer(content=Ready(status="ok" if found["opa"].ok else "degraded", dependencies=found))


async def metrics(call: Call) -> Answer:
    return Answer(content=call.context.metrics.text())


async def _postgres(call: Call) -> Dependency:
    try:
        await call.context.reads.ping()
    except LedgerUnavailable as error:
        return Dependency(ok=False, detail=error.detail)
    return Dependency(ok=True, detail="answers")


async def _policy(call: Call) -> Dependency:
    try:
        revision = await call.context.reads.active_revision()
    except LedgerUnavailable as error:
        return Dependency(ok=False, detail=error.detail)
    return Dependency(ok=revision is not None, detail=revision or "no policy is active")


async def _opa(call: Call) -> Dependency:
    opa = call.context.opa
    if opa is None:
        return Dependency(ok=False, detail="OPA_URL is not set: POST /v1/actions cannot be answered")
    if await opa.ready():
        return Dependency(ok=True, detail="answers")
    return Dependency(ok=False, detail="does not answer, or has no policy yet")
