"""`aaf up` and the command line, as a newcomer and as an operator meet them."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.welcome import Ready, welcome
from tests.e2e.pki import TestAuthority
from tests.e2e.system import System, clean_environment, run_aaf
from tests.e2e.upstream import LoopThread, Upstream
from tests.e2e.wait import until


@pytest.fixture(scope="module")
def upstream(loop_thread: LoopThread, authority: TestAuthority) -> Iterator[Upstream]:
    made = Upstream(loop_thread, authority.issue("example.com", "httpbin.org", "api.github.com"))
    made.start()
    made.ca_file = authority.file
    yield made
    made.stop()


@pytest.fixture(scope="module")
def system(opa_binary: Path, upstream: Upstream) -> Iterator[System]:
    env = {
        "AAF_CONNECT_TO": f":443:127.0.0.1:{upstream.https_port},:80:127.0.0.1:{upstream.http_port}",
        "AAF_UPSTREAM_CA_FILE": str(upstream.ca_file),
    }
    with System(opa_binary, env=env) as made:
        yield made


def curl(system: System, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["curl", "-sS", "-m", "60", "-x", system.ready["proxy_url"], "--cacert", system.ready["ca_file"], *arguments]
    return subprocess.run(command, env=clean_environment(), capture_output=True, text=True, check=False)


def paste(command: str) -> subprocess.Popen[str]:
    """In another terminal: a shell in another folder, with nothing of what `aaf up` was started with."""
    return subprocess.Popen(["sh", "-c", command], env=clean_environment(), cwd="/", stdout=subprocess.PIPE, text=True)


def test_the_lines_it_prints_work_as_they_are_in_another_terminal(system: System) -> None:
    ready = Ready(
        proxy_url=system.ready["proxy_url"],
        api_url=system.ready["api_url"],
        admin_key=system.ready["admin_key"],
        ca_file=Path(system.ready["ca_file"]),
        data_dir=system.data_dir,
    )
    lines = [line.strip() for line in welcome(ready).splitlines() if line.startswith("  ")]
    allowed, denied, held = [line for line in lines if line.startswith("curl")]
    listing, approving = [line for line in lines if " approvals " in line]
    assert paste(allowed).communicate()[0] == "reached /"
    assert json.loads(paste(denied).communicate()[0])["status"] == 403
    with paste(held) as waiting:
        until(lambda: "httpbin.org" in paste(listing).communicate()[0])
        assert "approved" in paste(approving).communicate()[0]
        assert waiting.communicate()[0] == "reached /post"


def test_what_the_command_line_cannot_mean_is_a_usage_error(system: System) -> None:
    for arguments in (
        ("approvals", "list", "--limit", "0"),
        ("approvals", "list", "--status", "lost"),
        ("actions", "list", "--effect", "lost"),
        ("actions", "list", "--limit", "-1"),
        ("audit", "tail", "-n", "0"),
        ("approvals", "approve", ""),
    ):
        assert system.aaf(*arguments, check=False).returncode == 2, arguments
    for name, value in (("AAF_API_URL", "127.0.0.1"), ("AAF_API_KEY", "hunter2\nhunter2")):
        refused = system.aaf("agent", "list", check=False, env={name: value})
        assert refused.returncode == 2
        assert refused.stderr.startswith(f"aaf: {name}: ")
        assert "hunter2" not in refused.stderr


def test_it_prints_what_the_contract_says(system: System) -> None:
    assert set(system.ready) == {"proxy_url", "api_url", "web_url", "admin_key", "agent", "ca_file"}
    assert system.ready["web_url"] is None
    assert system.ready["agent"] == "demo"
    assert re.fullmatch(r"http://demo:[A-Za-z0-9_-]{43}@127\.0\.0\.1:\d+", system.ready["proxy_url"])


def test_a_newcomer_gets_an_allowed_a_denied_and_a_held_then_approved_answer(system: System) -> None:
    assert curl(system, "https://example.com/hello").stdout == "reached /hello"
    denied = json.loads(curl(system, "https://example.org/").stdout)
    assert denied["status"] == 403
    assert denied["action_id"].startswith("act_")
    command = ["curl", "-sS", "-m", "60", "-x", system.ready["proxy_url"], "--cacert", system.ready["ca_file"]]
    with subprocess.Popen(
        [*command, "https://httpbin.org/post", "-d", "hello=world"], env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as held:
        pending = until(lambda: system.json("approvals", "list", "--status", "pending"))
        shown = system.aaf("approvals", "show", pending[0]["id"]).stdout
        assert shown.startswith("http:POST on httpbin.org/post\ndemo wants to send POST /post to httpbin.org.\n")
        assert "| hello: world" in shown
        system.aaf("approvals", "approve", pending[0]["id"], "--comment", "fine")
        assert held.communicate(timeout=60)[0] == "reached /post"


def test_the_command_line_shows_what_happened(system: System) -> None:
    curl(system, "https://example.com/shown")
    actions = until(lambda: [a for a in system.json("actions", "list") if a["path"] == "/shown"])
    assert actions[0]["decision"] == "allow"
    assert "demo  send GET /shown to example.com (http:GET)  allowed, answered 200  act_" in system.aaf("actions", "list").stdout
    assert system.json("actions", "show", actions[0]["id"])["host"] == "example.com"
    verified = system.json("audit", "verify")
    assert verified["ok"]
    assert verified["first_bad"] is None
    assert "action.decided" in system.aaf("audit", "tail", "-n", "50").stdout
    assert system.aaf("ca", "show").stdout == Path(system.ready["ca_file"]).read_text()
    assert [p["active"] for p in system.json("policy", "list")] == [True]


def test_agents_and_keys_are_made_shown_and_ended(system: System) -> None:
    agent = system.json("agent", "create", "build-bot")
    assert set(agent) == {"id", "name", "token", "proxy_url"}
    rotated = system.json("agent", "rotate", "build-bot")
    assert rotated["token"] != agent["token"]
    system.aaf("agent", "disable", "build-bot")
    assert {a["name"]: a["enabled"] for a in system.json("agent", "list")}["build-bot"] is False
    key = system.json("key", "create", "--role", "viewer", "--name", "Vera")
    assert set(key) == {"id", "role", "name", "key"}
    as_viewer = {"AAF_API_URL": system.ready["api_url"], "AAF_API_KEY": key["key"]}
    assert system.aaf("agent", "list", env=as_viewer).returncode == 0
    assert system.aaf("agent", "create", "other", env=as_viewer, check=False).returncode == 1
    system.aaf("key", "revoke", key["id"])
    assert system.aaf("agent", "list", env=as_viewer, check=False).returncode == 1


def test_a_service_of_ones_own_is_described_tried_and_taken_out(system: System, tmp_path: Path) -> None:
    document = tmp_path / "shop.yaml"
    document.write_text(
        "openapi: 3.0.0\ninfo: {title: The shop, version: '1'}\nservers: [{url: 'https://api.shop.com'}]\n"
        "paths: {'/orders/{id}': {delete: {operationId: orders.remove, responses: {}}}}\n"
    )
    made = json.loads(system.aaf("catalog", "add", str(document), "--service", "shop", "--json").stdout)
    assert (made["service"], made["source"], made["operations"], made["shipped"]) == ("shop", "shop.yaml", 1, False)
    tried = ("catalog", "test", "DELETE", "https://api.shop.com/orders/7", "--header", "X-Shop: a")

    def names_it() -> bool:
        return bool(json.loads(system.aaf(*tried, "--json").stdout)["name"] == "shop:orders.remove")

    until(names_it)
    shown = system.aaf(*tried).stdout
    assert shown.startswith("shop:orders.remove")
    assert f"shop@{made['revision']}" in shown
    assert "shop" in system.aaf("catalog", "list").stdout
    assert system.aaf("catalog", "show", "shop", "--facts").stdout.startswith("aaf-facts/1\nservice\tshop\n")
    document.write_text("openapi: [")
    refused = system.aaf("catalog", "add", str(document), "--service", "shop", check=False)
    assert (refused.returncode, "line 1" in refused.stderr or "line 2" in refused.stderr) == (1, True)
    system.aaf("catalog", "remove", "shop")
    assert system.aaf("catalog", "remove", "shop", check=False).returncode == 1
    assert system.aaf("catalog", "test", "GET", "https://a.test", "--header", "none", check=False).returncode == 2


def test_a_denied_approval_is_a_403_with_the_reason(system: System) -> None:
    command = ["curl", "-sS", "-m", "60", "-x", system.ready["proxy_url"], "--cacert", system.ready["ca_file"]]
    with subprocess.Popen(
        [*command, "https://httpbin.org/denied", "-d", "x=y"], env=clean_environment(), stdout=subprocess.PIPE, text=True
    ) as held:
        pending = until(lambda: system.json("approvals", "list", "--status", "pending"))
        assert system.json("approvals", "show", pending[0]["id"])["status"] == "pending"
        system.aaf("approvals", "deny", pending[0]["id"], "--reason", "not today")
        assert json.loads(held.communicate(timeout=60)[0])["status"] == 403
    again = system.aaf("approvals", "approve", pending[0]["id"], check=False)
    assert again.returncode == 1
    assert "denied" in again.stderr


def test_run_sets_the_variables_hides_ours_and_ends_its_token(system: System) -> None:
    shown = system.aaf("run", "--", sys.executable, "-c", "import json, os; print(json.dumps(dict(os.environ)))")
    variables = json.loads(shown.stdout)
    assert not [name for name in variables if name.startswith(("AAF_", "ENCRYPTION_", "DATABASE_", "OPA_"))]
    assert variables["NO_PROXY"] == variables["no_proxy"] == ""
    assert variables["HTTPS_PROXY"] == variables["https_proxy"] == variables["HTTP_PROXY"] == variables["http_proxy"]
    dead = ["curl", "-sS", "-m", "20", "-x", variables["HTTPS_PROXY"], "https://example.com/"]
    until(lambda: "407" in subprocess.run(dead, capture_output=True, text=True, check=False).stderr)


def test_run_passes_the_commands_status_on(system: System) -> None:
    assert system.aaf("run", "--", sys.executable, "-c", "raise SystemExit(7)", check=False).returncode == 7
    assert system.aaf("run", "--", "no-such-program-here", check=False).returncode == 127


def test_run_reports_a_no_proxy_that_it_empties(system: System) -> None:
    done = system.aaf("run", "--", "true", env={"NO_PROXY": "example.com"})
    assert "NO_PROXY=example.com" in done.stderr


def test_env_prints_variables_for_a_shell(system: System) -> None:
    shown = system.aaf("env").stdout
    script = f"{shown}\ncurl -sS -m 60 https://example.com/from-a-shell"
    done = subprocess.run(["sh", "-c", script], env=clean_environment(), capture_output=True, text=True, check=False)
    assert done.stdout == "reached /from-a-shell"


def test_config_lists_every_setting_and_shows_no_secret(system: System) -> None:
    key = "A" * 43 + "="
    shown = system.aaf("config", env={"ENCRYPTION_MASTER_KEY": key})
    assert key not in shown.stdout
    assert "AAF_PROXY_PORT" in shown.stdout


def test_its_secrets_lie_in_files_for_the_owner_alone(system: System) -> None:
    for name in ("master.key", "admin.key", "demo.json", "postgres.json", "database.json"):
        assert stat.S_IMODE((system.data_dir / name).stat().st_mode) == 0o600, name


def test_no_log_holds_a_token_or_a_key(system: System) -> None:
    token = system.ready["proxy_url"].split(":")[2].split("@")[0]
    assert token not in system.log
    assert system.ready["admin_key"] not in system.log


def test_a_second_one_on_the_same_data_directory_is_refused(system: System) -> None:
    done = system.aaf("up", check=False)
    assert done.returncode == 1
    assert str(system.data_dir) in done.stderr


def test_a_port_in_use_is_named_with_its_setting(opa_binary: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = clean_environment() | {"OPA_BIN": str(opa_binary), "AAF_DATA_DIR": str(tmp_path)}
        env |= dict.fromkeys(("AAF_API_PORT", "AAF_GATEWAY_ADMIN_PORT", "AAF_WORKER_ADMIN_PORT"), "0")
        done = run_aaf("up", env=env | {"AAF_PROXY_PORT": str(taken.getsockname()[1])}, check=False)
    assert done.returncode == 1
    assert "AAF_PROXY_PORT" in done.stderr


def test_a_bad_setting_is_a_usage_error(tmp_path: Path) -> None:
    done = run_aaf("up", env=clean_environment() | {"AAF_DATA_DIR": str(tmp_path), "AAF_PROXY_PORT": "x"}, check=False)
    assert done.returncode == 2
    assert "AAF_PROXY_PORT" in done.stderr


def test_the_policy_file_is_checked_with_its_lines(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("version: 1\ndefault: deny\nrules:\n  - id: a\n    effect: perhaps\n")
    done = run_aaf("policy", "check", str(file), env=clean_environment(), check=False)
    assert done.returncode == 1
    assert f"{file}:5:" in done.stdout


def test_what_was_there_is_there_after_a_restart_and_dead_children_come_back(opa_binary: Path, upstream: Upstream) -> None:
    env = {
        "AAF_CONNECT_TO": f":443:127.0.0.1:{upstream.https_port}",
        "AAF_UPSTREAM_CA_FILE": str(upstream.ca_file),
    }
    with System(opa_binary, env=env) as first:
        assert curl(first, "https://example.com/one").stdout == "reached /one"
        entries = first.json("audit", "verify")["entries"]
        ca = Path(first.ready["ca_file"]).read_text()
        assert first.stop() == 0
        with System(opa_binary, env=env, data_dir=first.data_dir) as again:
            assert Path(again.ready["ca_file"]).read_text() == ca
            assert again.json("audit", "verify")["entries"] > entries
            # The demo agent's credential outlives the restart; the admin key does not.
            assert again.ready["proxy_url"].split("@")[0] == first.ready["proxy_url"].split("@")[0]
            stale = {"AAF_API_KEY": first.ready["admin_key"], "AAF_API_URL": again.ready["api_url"]}
            assert again.aaf("agent", "list", env=stale, check=False).returncode == 1
            # A killed `aaf up` takes its children with it, and the next start picks up.
            again.kill()
            until(lambda: _can_bind(again.ready["proxy_url"]))
            with System(opa_binary, env=env, data_dir=first.data_dir) as third:
                assert curl(third, "https://example.com/three").stdout == "reached /three"
                assert third.json("audit", "verify")["ok"]


def test_another_master_key_is_refused_by_name(opa_binary: Path) -> None:
    with System(opa_binary) as first:
        first.stop()
        (first.data_dir / "master.key").write_text("A" * 43 + "=")
        done = run_aaf("up", env=first.env, check=False)
        assert done.returncode == 1
        (first.data_dir / "master.key").write_text("no key\n")
        done = run_aaf("up", "--json", env=first.env, check=False)
        assert done.returncode == 1
        assert "master.key must be 32 bytes in base64" in done.stderr
        assert "Traceback" not in done.stderr
        (first.data_dir / "master.key").unlink()
        done = run_aaf("up", env=first.env, check=False)
        assert done.returncode == 1
        assert "master.key is missing" in done.stderr


def _can_bind(url: str) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(url.rsplit(":", 1)[1])))
        except OSError:
            return False
    return True


@pytest.mark.parametrize("child", ["api", "gateway", "worker"])
def test_a_child_that_is_killed_is_started_again(system: System, child: str) -> None:
    def pid() -> int | None:
        shown = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
        for line in shown.splitlines():
            number, parent, arguments = line.split(None, 2)
            if int(parent) == system.pid and f"cli.app {child} " in arguments:
                return int(number)
        return None

    before = pid()
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: (now := pid()) is not None and now != before)
    until(lambda: curl(system, "https://example.com/again").stdout == "reached /again", seconds=60)
    until(lambda: system.aaf("agent", "list", check=False).returncode == 0, seconds=60)


def test_proxy_and_api_speak_tls_when_they_have_a_certificate(
    opa_binary: Path, upstream: Upstream, authority: TestAuthority
) -> None:
    own = authority.issue("127.0.0.1", "localhost")
    env = {
        "AAF_TLS_CERT_FILE": str(own.certificate),
        "AAF_TLS_KEY_FILE": str(own.key),
        "AAF_CONNECT_TO": f":443:127.0.0.1:{upstream.https_port}",
        "AAF_UPSTREAM_CA_FILE": str(upstream.ca_file),
    }
    with System(opa_binary, env=env) as secured:
        assert secured.ready["proxy_url"].startswith("https://demo:")
        assert secured.ready["api_url"].startswith("https://")
        answer = curl(secured, "--proxy-cacert", str(authority.file), "https://example.com/through-tls")
        assert answer.stdout == "reached /through-tls"
        listed = secured.aaf("agent", "list", env={"SSL_CERT_FILE": str(authority.file)})
        assert "demo" in listed.stdout
