import json
import os
import select
import signal
import stat
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

from cli import running
from cli.running import BUNDLE_VARIABLES, PROXY_VARIABLES, RUN_SECONDS, environment
from firewall.settings import load
from tests.e2e.system import clean_environment

ROOT = Path(__file__).parents[2]
URL = "http://demo:tok@127.0.0.1:8080"
OUR_CA = "-----BEGIN CERTIFICATE-----\nours\n-----END CERTIFICATE-----\n"
PRELOAD = f"--require {running.PRELOAD}"


class SomeApi:
    """The control API, as far as these commands ask it; what they ask is written down."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def every(self, path: str) -> list[Any]:
        assert path == "/v1/agents"
        return [{"id": "agt_1", "name": "demo"}, {"id": "agt_2", "name": "build-bot"}]

    def post(self, path: str, body: object) -> Any:
        self.asked.append(("POST", path, body))
        return {"id": path.split("/")[3], "token_id": "tok_1", "proxy_url": URL}

    def text(self, path: str) -> str:
        assert path == "/v1/ca.pem"
        return OUR_CA

    def delete(self, path: str) -> None:
        self.asked.append(("DELETE", path))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> SomeApi:
    made = SomeApi()
    monkeypatch.setattr(running, "client", lambda: made)
    return made


def run(*command: str, agent: str = "demo") -> int:
    with pytest.raises(typer.Exit) as ended:
        running.run(list(command), agent)
    return ended.value.exit_code


def python(code: str) -> tuple[str, str, str]:
    return sys.executable, "-c", code


# --- the variables ------------------------------------------------------------------------------------------------------


def test_every_client_is_led_through_the_proxy_and_trusts_the_bundle() -> None:
    made = environment(URL, "/b.pem", {})
    assert {name: made[name] for name in PROXY_VARIABLES} == dict.fromkeys(PROXY_VARIABLES, URL)
    assert {name: made[name] for name in BUNDLE_VARIABLES} == dict.fromkeys(BUNDLE_VARIABLES, "/b.pem")
    assert {"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"} <= set(PROXY_VARIABLES)
    assert {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} <= set(BUNDLE_VARIABLES)


@pytest.mark.parametrize(
    "name",
    [
        "NO_PROXY", "no_proxy", "No_Proxy", "ALL_PROXY", "all_proxy", "All_Proxy", "npm_config_noproxy", "NPM_CONFIG_NOPROXY",
        "grpc_proxy", "no_grpc_proxy",
    ],
)  # fmt: skip
def test_what_would_lead_past_the_firewall_is_emptied_or_taken_out(name: str) -> None:
    made = environment(URL, "/b.pem", {name: "example.com"})
    assert "example.com" not in made.values()
    assert (made["NO_PROXY"], made["no_proxy"]) == ("", "")


@pytest.mark.parametrize(
    "name", ["AAF_API_KEY", "AAF_DATA_DIR", "ENCRYPTION_MASTER_KEY", "DATABASE_URL", "DATABASE_ADMIN_URL", "OPA_URL", "REDIS_URL"]
)
def test_what_belongs_to_the_firewall_is_hidden(name: str) -> None:
    assert "secret" not in environment(URL, "/b.pem", {name: "secret"}).values()


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY"])
def test_what_was_set_before_does_not_win(name: str) -> None:
    assert "before" not in environment(URL, "/b.pem", {name: "before"}).values()


def test_everything_else_is_inherited() -> None:
    inherited = {"PATH": "/bin", "HOME": "/root", "MY_AAF_NAME": "x", "REDIS_URL_OF_MINE": "y", "DATABASE": "z"}
    assert environment(URL, "/b.pem", inherited).items() >= inherited.items()


def test_nodes_own_options_are_kept_beside_ours() -> None:
    assert environment(URL, "/b.pem", {})["NODE_OPTIONS"] == PRELOAD
    assert environment(URL, "/b.pem", {"NODE_OPTIONS": "--no-warnings"})["NODE_OPTIONS"] == f"--no-warnings {PRELOAD}"
    assert running.PRELOAD.is_file()


def test_a_path_with_a_blank_is_one_option_of_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "PRELOAD", Path("/my files/preload.cjs"))
    assert environment(URL, "/b.pem", {})["NODE_OPTIONS"] == '--require "/my files/preload.cjs"'


# --- aaf run ------------------------------------------------------------------------------------------------------------


def test_the_token_is_the_agents_and_ends_with_the_command(api: SomeApi) -> None:
    assert run(*python("raise SystemExit(7)"), agent="build-bot") == 7
    assert api.asked == [
        ("POST", "/v1/agents/agt_2/tokens", {"expires_in": RUN_SECONDS}),
        ("DELETE", "/v1/agents/agt_2/tokens/tok_1"),
    ]


def test_an_agent_that_is_not_there_runs_nothing(api: SomeApi, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*python("print('ran')"), agent="other") == 1
    assert api.asked == []
    assert "no agent is called other" in capsys.readouterr().err


def test_the_token_ends_when_no_bundle_can_be_had(api: SomeApi, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: str) -> str:
        raise typer.Exit(1)

    monkeypatch.setattr(api, "text", fails)
    assert run("true") == 1
    assert api.asked[-1] == ("DELETE", "/v1/agents/agt_1/tokens/tok_1")


def test_the_command_sees_a_bundle_that_any_user_may_read_and_that_goes_with_it(api: SomeApi, tmp_path: Path) -> None:
    shown = tmp_path / "shown.json"
    code = (
        "import json, os, pathlib; file = pathlib.Path(os.environ['SSL_CERT_FILE'])\n"
        f"pathlib.Path({str(shown)!r}).write_text(json.dumps([str(file), file.stat().st_mode, file.read_text()]))"
    )
    assert run(*python(code)) == 0
    name, mode, text = json.loads(shown.read_text())
    assert stat.S_IMODE(mode) == 0o644
    assert text.endswith(OUR_CA)
    assert text.count("BEGIN CERTIFICATE") > 1
    assert not Path(name).exists()


@pytest.mark.usefixtures("api")
def test_the_commands_status_is_passed_on_as_a_shell_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*python("pass")) == 0
    assert run(*python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")) == 128 + signal.SIGKILL
    assert run("no-such-program-here") == 127
    assert run(str(tmp_path)) == 126
    said = capsys.readouterr().err.splitlines()
    assert said == ["aaf: no-such-program-here: No such file or directory", f"aaf: {tmp_path}: Permission denied"]


@pytest.mark.usefixtures("api")
def test_an_inherited_no_proxy_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    run("true")
    assert "NO_PROXY=example.com was set here and is emptied" in capsys.readouterr().err


@pytest.mark.usefixtures("api")
def test_afterwards_signals_mean_what_they_meant() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    run("true")
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


# --- signals ------------------------------------------------------------------------------------------------------------

SILENT_SECONDS = 60
RUNNER = (
    "import os, signal, subprocess, sys\n"
    "class Told(subprocess.Popen):\n"
    "    def send_signal(self, number):\n"
    "        super().send_signal(number)\n"
    "        os.write(1, f'passed {signal.Signals(number).name}\\n'.encode())\n"
    "subprocess.Popen = Told\n"
    "terminal = sys.argv.pop(1)\n"
    "if terminal:\n"
    "    opened = os.open(terminal, os.O_RDWR)\n"  # the first that a new session opens becomes its terminal
    "    os.dup2(opened, 0); os.dup2(opened, 1)\n"
    "from cli.running import _run\n"
    "sys.exit(_run(sys.argv[1:], dict(os.environ)))\n"
)
CHILD = (
    "import os, signal, sys\n"
    "def told(number, frame):\n"
    "    os.write(1, f'got {signal.Signals(number).name}\\n'.encode())\n"
    "    if number == signal.SIGTERM: sys.exit(9)\n"
    "for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM): signal.signal(number, told)\n"
    "print('ready', flush=True)\n"
    "while True: signal.pause()\n"
)


def start(terminal: str, output: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", RUNNER, terminal, sys.executable, "-c", CHILD]
    return subprocess.Popen(command, cwd=ROOT, env=clean_environment(), stdout=output, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # the command is in its group
    process.wait()


def read_until(descriptor: int, word: str) -> str:
    text = ""
    while word not in text:
        assert select.select([descriptor], [], [], SILENT_SECONDS)[0], f"nothing followed {text!r}"
        read = os.read(descriptor, 1024).decode()
        assert read, f"it ended after {text!r}"
        text += read
    return text


def test_signals_are_passed_on_to_the_command() -> None:
    reading, writing = os.pipe()
    process = start("", writing)
    os.close(writing)
    try:
        read_until(reading, "ready")
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
            read_until(reading, f"got {number.name}")
        assert process.wait(60) == 9
    finally:
        end(process)
        os.close(reading)


def test_ctrl_c_reaches_the_command_once() -> None:
    keyboard, screen = os.openpty()
    process = start(os.ttyname(screen), subprocess.DEVNULL)
    try:
        read_until(keyboard, "ready")
        os.write(keyboard, b"\x03")
        said = read_until(keyboard, "got SIGINT")
        # Whatever is to come of the first signal, in the runner or the command, has come once both have ended.
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 9
        os.write(screen, b"end")
        said += read_until(keyboard, "end")
        assert "passed SIGTERM" in said
        assert "passed SIGINT" not in said
    finally:
        end(process)
        os.close(keyboard)
        os.close(screen)


# --- aaf env ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "it's data"
    monkeypatch.setattr(running, "settings", lambda: load({"AAF_DATA_DIR": str(folder)}))
    return folder


def test_a_shell_reads_what_env_prints(api: SomeApi, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running.env("build-bot")
    script = capsys.readouterr().out + 'printf "%s|%s|%s" "$HTTPS_PROXY" "$SSL_CERT_FILE" "$NO_PROXY"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{URL}|{data_dir / 'trust.pem'}|"
    assert api.asked == [("POST", "/v1/agents/agt_2/tokens", {"expires_in": 12 * 3600})]


@pytest.mark.usefixtures("api")
def test_env_leaves_a_bundle_that_any_user_may_read(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running.env("demo", json=True)
    assert json.loads(capsys.readouterr().out) == environment(URL, str(data_dir / "trust.pem"), {})
    assert (data_dir / "trust.pem").read_text().endswith(OUR_CA)
    assert stat.S_IMODE((data_dir / "trust.pem").stat().st_mode) == 0o644
    assert [file.name for file in data_dir.iterdir()] == ["trust.pem"]


def test_env_that_cannot_leave_its_bundle_mints_no_token(api: SomeApi, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data_dir.write_text("a file where the folder should be")
    with pytest.raises(typer.Exit) as ended:
        running.env("demo")
    assert ended.value.exit_code == 1
    assert "trust.pem cannot be written" in capsys.readouterr().err
    assert api.asked == []
