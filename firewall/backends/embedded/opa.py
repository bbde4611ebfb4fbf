"""OPA as a child on a Unix socket of mode 0600: no TCP port, no secret but the token of its bundle, one path that it answers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import structlog

from firewall.backends.embedded.death import dies_with
from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.postgres import CannotStart

READY_SECONDS = 20.0
STOP_SECONDS = 10.0
SOCKET_NAME_BYTES = 103
"""As much as every system takes (sys/un.h: 104 bytes on macOS, 108 on Linux, with a zero at the end)."""
SYSTEM_POLICY = Path(__file__).parents[3] / "policies" / "system" / "authz.rego"

log = structlog.get_logger()


class EmbeddedOpa:
    """`bundles_url`: where the control API is; `bundle_token`: what opens the bundle there, and nothing else."""

    def __init__(self, data_dir: Path, *, program: Path, bundles_url: str, bundle_token: str, ca_file: Path | None = None) -> None:
        self._identity = Identity.unprivileged()
        self._folder = self._identity.folder(data_dir, "opa")
        self._program = self._identity.program(program, self._folder)
        self._bundles_url = bundles_url
        self._token = bundle_token
        self._ca_file = ca_file
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self._folder / "opa.sock"

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        return None if self._process is None or self._process.poll() is not None else self._process.pid

    def start(self) -> None:
        """Blocks until the socket takes connections; the bundle comes later. Raises CannotStart."""
        if len(os.fsencode(self.socket)) > SOCKET_NAME_BYTES:
            raise CannotStart(f"{self.socket} is too long for the name of a socket: set AAF_DATA_DIR to a shorter one")
        self.socket.unlink(missing_ok=True)
        config, policy = self._write("config.json", self._config()), self._write("authz.rego", SYSTEM_POLICY.read_text())
        with self._create("opa.log") as output:
            try:
                self._process = subprocess.Popen(  # noqa: S603
                    [
                        self._program, "run", "--server", "--addr", self.url, "--config-file", config, "--authorization", "basic",
                        "--log-level", "error", "--skip-version-check", "--optimize-store-for-read-speed",
                        "--unix-socket-perm", "600", policy,
                    ],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                    # Collected less often: a seventh to a fifth less CPU for each decision, for some 30 MB.
                    env={"PATH": os.environ.get("PATH", ""), "HOME": str(self._folder), "GOGC": "400"},
                    preexec_fn=dies_with(os.getpid()) if sys.platform == "linux" else None,
                    **self._identity.popen(),  # type: ignore[call-overload]
                )  # fmt: skip
            except OSError as error:
                raise CannotStart(f"{self._program} cannot be run as OPA ({error.strerror}): set OPA_BIN") from error
        self._await_ready()

    def died(self) -> int | None:
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_SECONDS)
        self._process = None

    def _config(self) -> str:
        service: dict[str, object] = {"url": self._bundles_url, "credentials": {"bearer": {"token": self._token}}}
        if self._ca_file is not None:
            copy = self._write("ca.pem", self._ca_file.read_text())  # our user may not reach the original
            service["tls"] = {"ca_cert": str(copy), "system_ca_required": True}
        polling = {"min_delay_seconds": 1, "max_delay_seconds": 2, "long_polling_timeout_seconds": 30}
        return json.dumps(
            {
                "services": {"control_api": service},
                "bundles": {"firewall": {"service": "control_api", "resource": "v1/bundles/firewall.tar.gz", "polling": polling}},
            }
        )

    def _write(self, name: str, text: str) -> Path:
        with self._create(name) as stream:
            stream.write(text.encode())
        return self._folder / name

    def _create(self, name: str) -> IO[bytes]:
        """A new file. The folder is OPA's user's: what stands there by that name may be a link, and is not written through."""
        file = self._folder / name
        file.unlink(missing_ok=True)
        stream = os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        self._identity.own(stream.fileno())
        return stream

    def _await_ready(self) -> None:
        end = time.monotonic() + READY_SECONDS
        while True:
            if self._process is None or self._process.poll() is not None:
                text = (self._folder / "opa.log").read_text(errors="replace")
                raise CannotStart(f"OPA ended at once: {text.strip()[-500:]}")
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.socket))
                    return
                except OSError:
                    if time.monotonic() > end:
                        self._process.kill()
                        raise CannotStart("OPA did not take connections") from None
            time.sleep(0.02)
