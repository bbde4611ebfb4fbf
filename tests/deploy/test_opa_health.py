"""OPA's health check, as the compose file has it: a container without the bundle is not healthy."""

import subprocess
import time
from contextlib import ExitStack
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
SOCKET = "/run/opa/opa.sock"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def probe(opa: Path, socket: Path) -> int:
    """The exit status of the container's health check, for this socket."""
    with (ROOT / "docker-compose.yml").open() as stream:
        kind, program, *arguments = YAML(typ="safe").load(stream)["services"]["opa"]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "/opa")
    assert quote(SOCKET, safe="") in arguments[-1]
    arguments[-1] = arguments[-1].replace(quote(SOCKET, safe=""), quote(str(socket), safe=""))
    return subprocess.run([opa, *arguments], capture_output=True, timeout=30).returncode


def test_opa_is_healthy_once_it_has_the_bundle_and_not_before(opa_binary: Path, tmp_path: Path) -> None:
    socket, config, served = tmp_path / "s", tmp_path / "config.yaml", tmp_path / "served"
    served.mkdir()
    assert probe(opa_binary, socket) != 0  # nobody listens
    with ExitStack() as stack:
        server = stack.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served))))
        Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.shutdown)
        polling = "polling: {min_delay_seconds: 1, max_delay_seconds: 1}"
        config.write_text(
            f"services: {{api: {{url: 'http://127.0.0.1:{server.server_port}'}}}}\n"
            f"bundles: {{firewall: {{service: api, resource: bundle.tar.gz, {polling}}}}}\n"
        )
        command = [str(opa_binary), "run", "--server", "--addr", f"unix://{socket}", "--config-file", str(config)]
        opa = stack.enter_context(
            subprocess.Popen([*command, "--skip-version-check"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(opa.terminate)
        until = time.monotonic() + 30
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.05)
        assert probe(opa_binary, socket) != 0  # it answers, and has no bundle
        (tmp_path / "p.rego").write_text("package p\n")
        subprocess.run([opa_binary, "build", "-o", tmp_path / "new", tmp_path / "p.rego"], check=True)
        (tmp_path / "new").rename(served / "bundle.tar.gz")
        while (status := probe(opa_binary, socket)) and time.monotonic() < until:
            time.sleep(0.2)
        assert status == 0
