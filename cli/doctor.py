"""`aaf doctor`: what is there, what is missing, and the remedy. Needs no running system."""

import http.client
import os
import shutil
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import typer

from cli.output import Json, emit, table
from cli.session import read_access, settings
from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.postgres import CannotStart, binaries
from firewall.settings import Settings

Finding = tuple[bool, str]
ANSWER_SECONDS = 5.0


def doctor(json: Json = False) -> None:
    """Checks this machine; exit status 1 when something is in the way."""
    of = settings()
    checks: dict[str, Callable[[Settings], Finding]] = {
        "python": _python,
        "opa": _opa,
        "postgres": _postgres,
        "data directory": _data_directory,
        "user for children": _user,
        "ports": _ports,
        "running system": _running,
    }
    found = [{"check": name, "ok": result[0], "detail": result[1]} for name, check in checks.items() for result in [check(of)]]
    if json:
        emit(found)
    else:
        table(("check", "", "detail"), [(f["check"], "ok" if f["ok"] else "NOT OK", f["detail"]) for f in found])
    if not all(f["ok"] for f in found):
        raise typer.Exit(1)


def _python(_of: Settings) -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return (3, 12) <= sys.version_info[:2] <= (3, 13), f"{version} (3.12 or 3.13 is needed)"


def _opa(of: Settings) -> Finding:
    if of.opa_url is not None:
        return True, f"asked at {of.opa_url}"
    program = of.opa_bin or shutil.which("opa") or (str(local) if (local := Path(".tools/opa")).exists() else None)
    if program is None:
        return False, "none found: `make setup` builds one, or set OPA_BIN or OPA_URL"
    try:
        shown = subprocess.run([program, "version"], check=False, capture_output=True, text=True, timeout=ANSWER_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{program} does not run: {error}"
    return shown.returncode == 0, f"{program}: {shown.stdout.splitlines()[0] if shown.stdout else 'does not run'}"


def _postgres(of: Settings) -> Finding:
    if of.database_url is not None:
        return True, "DATABASE_URL is set"
    try:
        return (binaries() / "bin" / "postgres").exists(), f"embedded, from {binaries()}"
    except CannotStart as error:
        return False, str(error)


def _data_directory(of: Settings) -> Finding:
    folder = of.data_dir.absolute()
    while not os.path.lexists(folder):  # also where a folder above it may not be looked into
        folder = folder.parent
    if not folder.is_dir():
        return False, f"{folder} is not a folder: set AAF_DATA_DIR"
    if not os.access(folder, os.W_OK | os.X_OK):
        return False, f"{folder} may not be written to: set AAF_DATA_DIR"
    return True, f"{of.data_dir}" + ("" if folder == of.data_dir.absolute() else " (to be made)")


def _user(_of: Settings) -> Finding:
    try:
        identity = Identity.unprivileged()
    except LookupError as error:
        return False, str(error)
    return True, "this one" if identity.uid is None else f"uid {identity.uid}, because this is root"


def _ports(of: Settings) -> Finding:
    if read_access(of.data_dir) is not None:
        return True, "in use by the running system"
    taken = []
    for name, host, port in (
        ("AAF_PROXY_PORT", of.proxy_host, of.proxy_port),
        ("AAF_API_PORT", of.api_host, of.api_port),
        ("AAF_GATEWAY_ADMIN_PORT", "127.0.0.1", of.gateway_admin_port),
        ("AAF_WORKER_ADMIN_PORT", "127.0.0.1", of.worker_admin_port),
    ):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                taken.append(f"{name}={port} ({error.strerror})")
    return not taken, ", ".join(taken) or "free"


def _running(of: Settings) -> Finding:
    access = read_access(of.data_dir)
    if access is None:
        return True, "none on this data directory"
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(access.api_url + "/health/ready", timeout=ANSWER_SECONDS) as answer:
            return True, f"{access.api_url}: {answer.status}"
    except urllib.error.HTTPError as error:
        with error:
            return False, f"{access.api_url} is not ready: {error.code} {error.reason}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        return False, f"{access.api_url} does not answer: {error}"
