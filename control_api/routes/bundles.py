"""The policy bundle that every OPA pulls: ETag and long poll, as OPA's downloader speaks them (v1/download/download.go).

OPA sends `If-None-Match` and `Prefer: modes=snapshot,delta;wait=N`; it goes on with long polls while answers with content have
the media type below.
"""

import asyncio
import re
from collections.abc import Mapping

import structlog

from control_api.faults import Unavailable
from control_api.hint import Hint
from control_api.route import Answer, Call
from firewall import bundle, policy
from firewall.reads import PolicyRecord

MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"
WAIT_SECONDS = 300
POLL_SECONDS = 1.0

_WAIT = re.compile(r"(?:^|[;,\s])wait=(\d{1,6})(?=$|[;,\s])")

log = structlog.get_logger()


async def firewall_bundle(call: Call) -> Answer:
    context, loop = call.context, asyncio.get_running_loop()
    known = call.request.headers.get("If-None-Match", "")
    deadline = loop.time() + wait_seconds(call.request.headers.get("Prefer", ""))
    while True:
        ticket = context.policy_hint.ticket()
        revision = await context.reads.active_revision()
        if revision is None:
            raise Unavailable("no policy is active")
        if etag(revision) not in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
            break
        remaining = deadline - loop.time()
        if remaining <= 0 or context.closing.is_set():
            return Answer(content=b"", status=304, headers={"ETag": etag(revision), "Content-Type": MEDIA_TYPE})
        await Hint.wait(ticket, min(POLL_SECONDS, remaining))
    record = await context.reads.active_policy()
    if record is None:
        raise Unavailable("no policy is active")
    return Answer(content=build(record, call.context.modules), headers={"ETag": etag(record.revision)})


def build(record: PolicyRecord, modules: Mapping[str, str]) -> bytes:
    """Raises Unavailable when this version's Rego is not the one that the revision names: it would decide otherwise."""
    try:
        compiled = policy.compile_policy(policy.load(record.document), modules)
    except policy.BadPolicy as error:
        raise Unavailable(f"this version cannot read the active revision: {error}") from error
    if compiled.revision != record.revision:
        log.error("bundle.other-version", active=record.revision, ours=compiled.revision)
        raise Unavailable("the active revision was made by another version of the policy's Rego")
    return bundle.build(compiled.revision, compiled.data, modules)


def etag(revision: str) -> str:
    return f'"{revision}"'


def wait_seconds(prefer: str) -> int:
    found = _WAIT.search(prefer)
    return 0 if found is None else min(int(found[1]), WAIT_SECONDS)
