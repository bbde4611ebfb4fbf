from pathlib import Path

import pytest

from benchmarks.system import environment, part


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["/x/aaf-bench-1/bin/postgres", "-D", "/x/data"], "postgres"),
        (["/work/.tools/opa", "run", "--server"], "opa"),
        (["/venv/bin/python", "-m", "gateway.worker", "--listen", "3"], "gateway"),
        (["/venv/bin/python", "-m", "cli.app", "gateway", "--lifeline", "4"], "beside"),
        (["/venv/bin/python", "-m", "cli.app", "api", "--lifeline", "4"], "beside"),
        (["/venv/bin/python", "-m", "cli.app", "worker", "--lifeline", "4"], "beside"),
        ([], "beside"),
    ],
)
def test_parts_are_known_by_their_command_lines(command: list[str], expected: str) -> None:
    assert part(command) == expected


def test_no_switch_of_the_callers_reaches_what_is_measured() -> None:
    given = {
        "PATH": "/bin", "OPA_BIN": "/bin/opa", "OPA_URL": "unix:///x", "DATABASE_URL": "postgres://x", "AAF_HOLD_SECONDS": "1",
        "ENCRYPTION_MASTER_KEY": "x", "REDIS_URL": "x", "AAF_GATEWAY_WORKERS": "8",
    }  # fmt: skip
    found = environment(given, Path("/d"), Path("/p"), Path("/c"))
    assert {name for name in found if not name.endswith("_PORT")} == {
        "PATH", "OPA_BIN", "AAF_DATA_DIR", "AAF_POLICY_FILE", "AAF_UPSTREAM_CA_FILE", "AAF_GATEWAY_WORKERS",
    }  # fmt: skip
    assert found["AAF_GATEWAY_WORKERS"] == "1"
