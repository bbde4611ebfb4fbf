"""`aaf run` and `aaf env`: a program behind the firewall, with every variable that common clients read."""

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from certs.bundle import trust_bundle
from cli.agents import find
from cli.bootstrap import DEMO
from cli.client import Client, client
from cli.output import Json, emit, fail
from cli.session import settings

ENV_SECONDS = 12 * 3600
RUN_SECONDS = 30 * 24 * 3600
"""A command's token ends with the command; this is for a machine that goes down under it."""
PRELOAD = Path(__file__).parent / "node_proxy.cjs"
HIDDEN_PREFIXES = ("AAF_", "ENCRYPTION_", "DATABASE_", "OPA_")
HIDDEN_NAMES = frozenset({"REDIS_URL"})
BUNDLE_VARIABLES = (
    "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "GIT_SSL_CAINFO", "PIP_CERT",
    "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT", "NIX_SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "npm_config_cafile", "BUNDLE_SSL_CA_CERT", "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE", "HTTPLIB2_CA_CERTS",
)  # fmt: skip
LEADING_PAST = frozenset({"all_proxy", "no_proxy", "grpc_proxy", "no_grpc_proxy", "npm_config_noproxy"})
"""Lower case, for some clients read them in any; taken out, or emptied where a client asks for that."""
PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "npm_config_proxy", "npm_config_https_proxy")

AgentName = Annotated[str, typer.Option("--agent", help="As which agent.")]


def run(
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND…")],
    agent: AgentName = DEMO,
) -> None:
    """Runs a command behind the firewall, with a token that ends with it."""
    api = client()
    token = _mint(api, agent, RUN_SECONDS)
    try:
        with tempfile.NamedTemporaryFile(prefix="aaf-trust-", suffix=".pem", mode="wb") as bundle:
            bundle.write(_bundle(api))
            bundle.flush()
            os.chmod(bundle.name, 0o644)
            status = _run(command, environment(token["proxy_url"], bundle.name, os.environ))
    finally:
        api.delete(f"/v1/agents/{token['id']}/tokens/{token['token_id']}")
    raise typer.Exit(status)


def env(agent: AgentName = DEMO, json: Json = False) -> None:
    """Prints the variables, for `eval "$(aaf env)"`; the token in them is good for 12 hours."""
    api = client()
    bundle = settings().data_dir / "trust.pem"
    try:
        bundle.parent.mkdir(parents=True, exist_ok=True)
        part = bundle.with_suffix(".part")
        part.write_bytes(_bundle(api))
        part.chmod(0o644)
        part.rename(bundle)
    except OSError as error:
        fail(f"{bundle} cannot be written: {error}")
    token = _mint(api, agent, ENV_SECONDS)
    variables = environment(token["proxy_url"], str(bundle), {})
    _report_no_proxy(os.environ)
    if json:
        emit(variables)
    else:
        for name, value in variables.items():
            print(f"export {name}={shlex.quote(value)}")


def environment(proxy_url: str, bundle: str, inherited: Mapping[str, str]) -> dict[str, str]:
    """`inherited` without what belongs to the firewall, and with what leads a client through it."""
    made = {name: value for name, value in inherited.items() if not _is_ours(name) and name.lower() not in LEADING_PAST}
    made.update(dict.fromkeys(PROXY_VARIABLES, proxy_url))
    made.update(dict.fromkeys(BUNDLE_VARIABLES, bundle))
    made.update({"NO_PROXY": "", "no_proxy": "", "NODE_USE_ENV_PROXY": "1"})
    preload = f'--require "{PRELOAD}"' if " " in str(PRELOAD) else f"--require {PRELOAD}"
    made["NODE_OPTIONS"] = " ".join(part for part in (made.get("NODE_OPTIONS", ""), preload) if part)
    return made


def _is_ours(name: str) -> bool:
    return name.startswith(HIDDEN_PREFIXES) or name in HIDDEN_NAMES


def _bundle(api: Client) -> bytes:
    return trust_bundle(api.text("/v1/ca.pem").encode())


def _mint(api: Client, agent: str, seconds: int) -> Any:
    return api.post(f"/v1/agents/{find(api, agent)['id']}/tokens", {"expires_in": seconds})


def _report_no_proxy(inherited: Mapping[str, str]) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        if inherited.get(name):
            print(f"aaf: {name}={inherited[name]} was set here and is emptied: it would lead past the firewall", file=sys.stderr)


def _run(command: list[str], variables: dict[str, str]) -> int:
    _report_no_proxy(os.environ)
    try:
        child = subprocess.Popen(command, env=variables)  # noqa: S603 (what the user asked for)
    except OSError as error:
        print(f"aaf: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127 if isinstance(error, FileNotFoundError) else 126

    def pass_on(number: int, _frame: object) -> None:
        # Ctrl-C reaches the child without us; a second one would be its user's "at once".
        if number != signal.SIGINT or not _in_foreground():
            child.send_signal(number)

    previous = {name: signal.signal(name, pass_on) for name in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        status = child.wait()
    finally:
        for name, handler in previous.items():
            signal.signal(name, handler)
    return status if status >= 0 else 128 - status


def _in_foreground() -> bool:
    """Whether the terminal sends its signals to our process group, in which the child is too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
