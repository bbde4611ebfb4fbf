"""The whole system as a user starts it: `aaf up --json` in a data directory of its own, on free ports."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import CACHE

READY_SECONDS = 120
STOP_SECONDS = 60


def clean_environment() -> dict[str, str]:
    """This process's environment without settings and proxies of whoever runs the tests."""
    hidden = ("AAF_", "ENCRYPTION_", "DATABASE_", "OPA_", "REDIS_", "npm_config_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    return {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")} | {"AAF_CACHE_DIR": str(CACHE)}


class System:
    """`env`: more settings. Use as a context manager; `data_dir` may be reused by a second one."""

    def __init__(self, opa: Path, *, env: Mapping[str, str] | None = None, data_dir: Path | None = None) -> None:
        self._own = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="aaf-e2e-"))
        if self._own:
            self.data_dir.chmod(0o711)
        ports = ("AAF_PROXY_PORT", "AAF_API_PORT", "AAF_GATEWAY_ADMIN_PORT", "AAF_WORKER_ADMIN_PORT")
        self.env = clean_environment() | dict.fromkeys(ports, "0") | {"OPA_BIN": str(opa), "AAF_DATA_DIR": str(self.data_dir)}
        self.env |= {"AAF_GATEWAY_WORKERS": "1"} | dict(env or {})
        self._process: subprocess.Popen[str] | None = None
        self.ready: dict[str, Any] = {}

    def __enter__(self) -> "System":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self._own:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        file = self.data_dir / "up.log"
        return file.read_text() if file.exists() else ""

    def start(self) -> None:
        with (self.data_dir / "up.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cli.app", "up", "--json"],
                env=self.env, stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=Path(__file__).parents[2], start_new_session=True,
            )  # fmt: skip
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.stdout.close()
            status = self._process.wait(STOP_SECONDS)
            pytest.fail(f"`aaf up` ended with status {status}:\n{self.log}")
        self.ready = json.loads(line)

    def stop(self) -> int:
        """SIGTERM, and the exit status."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"`aaf up` did not stop:\n{self.log}")
        finally:
            if process.stdout is not None:
                process.stdout.close()

    def kill(self) -> None:
        assert self._process is not None
        process, self._process = self._process, None
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def aaf(self, *arguments: str, check: bool = True, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """`aaf …` as a user of this system runs it."""
        return run_aaf(*arguments, env=self.env | dict(env or {}), check=check)

    def json(self, *arguments: str) -> Any:
        return json.loads(self.aaf(*arguments, "--json").stdout)


def run_aaf(*arguments: str, env: Mapping[str, str], check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "cli.app", *arguments],
        env=dict(env), capture_output=True, text=True, check=False, timeout=120, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    if check and done.returncode != 0:
        pytest.fail(f"aaf {' '.join(arguments)}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done
