import json
import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli import doctor
from cli.session import access_file
from firewall.backends.embedded.identity import Identity
from firewall.backends.embedded.postgres import CannotStart
from firewall.settings import Settings, load
from tests.e2e.system import clean_environment, run_aaf

PORTS = ("AAF_PROXY_PORT", "AAF_API_PORT", "AAF_GATEWAY_ADMIN_PORT", "AAF_WORKER_ADMIN_PORT")


def settings(tmp_path: Path, **env: str) -> Settings:
    return load(dict.fromkeys(PORTS, "0") | {"AAF_DATA_DIR": str(tmp_path)} | env)


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """An address at which one connection is answered with these bytes."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        listening.settimeout(10)  # when nobody comes, the test has failed already

        def serve() -> None:
            with listening.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            thread.join()


def says_it_runs(tmp_path: Path, url: str) -> None:
    access_file(tmp_path).write_text(json.dumps({"api_url": url, "key": "k"}))


# --- the command --------------------------------------------------------------------------------------------------------


def environment(tmp_path: Path, opa: Path) -> dict[str, str]:
    return clean_environment() | dict.fromkeys(PORTS, "0") | {"AAF_DATA_DIR": str(tmp_path), "OPA_BIN": str(opa)}


def test_on_a_machine_that_has_everything_it_ends_with_0(tmp_path: Path, opa_binary: Path) -> None:
    done = run_aaf("doctor", "--json", env=environment(tmp_path, opa_binary))
    found = json.loads(done.stdout)
    assert [each["check"] for each in found if not each["ok"]] == []
    assert [each["check"] for each in found] == [
        "python", "opa", "postgres", "data directory", "user for children", "ports", "running system",
    ]  # fmt: skip


def test_what_is_missing_is_named_with_its_remedy_and_it_ends_with_1(tmp_path: Path, opa_binary: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    done = run_aaf("doctor", env=environment(file, opa_binary), check=False)
    assert done.returncode == 1
    assert f"data directory\tNOT OK\t{file} is not a folder: set AAF_DATA_DIR" in done.stdout.splitlines()
    assert "Traceback" not in done.stderr


# --- its checks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "ok"), [((3, 11, 9), False), ((3, 12, 0), True), ((3, 13, 1), True), ((3, 14, 0), False), ((4, 0, 0), False)]
)
def test_python_3_12_and_3_13_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int], ok: bool
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    assert doctor._python(settings(tmp_path)) == (ok, f"{'.'.join(map(str, version))} (3.12 or 3.13 is needed)")


def test_an_opa_that_is_named_is_run(tmp_path: Path, opa_binary: Path) -> None:
    ok, detail = doctor._opa(settings(tmp_path, OPA_BIN=str(opa_binary)))
    assert ok
    assert detail.startswith(f"{opa_binary}: Version: ")


def test_an_opa_elsewhere_is_not_looked_for_here(tmp_path: Path) -> None:
    of = settings(tmp_path, OPA_URL="https://opa.test", OPA_BIN="/no/opa")
    assert doctor._opa(of) == (True, "asked at https://opa.test")


@pytest.mark.parametrize("content", [None, "no program\n", "#!/bin/sh\nexit 1\n"])
def test_an_opa_that_does_not_run_is_named(tmp_path: Path, content: str | None) -> None:
    program = tmp_path / "opa"
    if content is not None:
        program.write_text(content)
        program.chmod(0o755)
    ok, detail = doctor._opa(settings(tmp_path, OPA_BIN=str(program)))
    assert not ok
    assert str(program) in detail
    assert "does not run" in detail


def test_an_opa_that_may_not_be_run_is_named(tmp_path: Path) -> None:
    program = tmp_path / "opa"
    program.write_text("#!/bin/sh\n")
    assert doctor._opa(settings(tmp_path, OPA_BIN=str(program)))[0] is False


def test_without_any_opa_the_remedy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    ok, detail = doctor._opa(settings(tmp_path))
    assert not ok
    assert "make setup" in detail


def test_opa_is_found_on_the_path_before_the_one_that_make_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, word in ((tmp_path / "bin", "first"), (tmp_path / ".tools", "second")):
        folder.mkdir()
        (folder / "opa").write_text(f"#!/bin/sh\necho {word}\n")
        (folder / "opa").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    assert doctor._opa(settings(tmp_path)) == (True, f"{tmp_path / 'bin' / 'opa'}: first")
    monkeypatch.setenv("PATH", "/nowhere")
    assert doctor._opa(settings(tmp_path)) == (True, ".tools/opa: second")


def test_a_database_that_is_named_needs_no_embedded_one(tmp_path: Path) -> None:
    assert doctor._postgres(settings(tmp_path, DATABASE_URL="postgresql://h/d")) == (True, "DATABASE_URL is set")


def test_a_missing_embedded_postgres_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> Path:
        raise CannotStart("set DATABASE_URL, or install it")

    monkeypatch.setattr(doctor, "binaries", missing)
    assert doctor._postgres(settings(tmp_path)) == (False, "set DATABASE_URL, or install it")
    monkeypatch.setattr(doctor, "binaries", lambda: tmp_path)
    assert doctor._postgres(settings(tmp_path)) == (False, f"embedded, from {tmp_path}")


def test_a_data_directory_is_there_or_can_be_made(tmp_path: Path) -> None:
    assert doctor._data_directory(settings(tmp_path)) == (True, str(tmp_path))
    inner = tmp_path / "a" / "b"
    assert doctor._data_directory(settings(inner)) == (True, f"{inner} (to be made)")


def test_a_data_directory_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert doctor._data_directory(settings(file / "a")) == (False, f"{file} is not a folder: set AAF_DATA_DIR")


def test_a_data_directory_that_may_not_be_written_to_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    ok, detail = doctor._data_directory(settings(tmp_path / "a"))
    assert (ok, detail) == (False, f"{tmp_path} may not be written to: set AAF_DATA_DIR")


def test_as_whom_children_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Identity, "unprivileged", classmethod(lambda cls: cls()))
    assert doctor._user(settings(tmp_path)) == (True, "this one")
    monkeypatch.setattr(Identity, "unprivileged", classmethod(lambda cls: cls(uid=70, gid=70)))
    assert doctor._user(settings(tmp_path)) == (True, "uid 70, because this is root")

    def nobody(_cls: type[Identity]) -> Identity:
        raise LookupError("this machine has no user")

    monkeypatch.setattr(Identity, "unprivileged", classmethod(nobody))
    assert doctor._user(settings(tmp_path)) == (False, "this machine has no user")


@pytest.mark.parametrize("name", PORTS)
def test_a_port_in_use_is_named_with_its_setting(tmp_path: Path, name: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ok, detail = doctor._ports(settings(tmp_path, **{name: str(port)}))
    assert not ok
    assert detail == f"{name}={port} (Address already in use)"


def test_free_ports_are_free(tmp_path: Path) -> None:
    assert doctor._ports(settings(tmp_path)) == (True, "free")


def test_a_host_that_is_not_this_machines_is_named(tmp_path: Path) -> None:
    ok, detail = doctor._ports(settings(tmp_path, AAF_PROXY_HOST="192.0.2.1", AAF_INSECURE_LISTEN="yes"))
    assert not ok
    assert detail.startswith("AAF_PROXY_PORT=0 (")


def test_the_ports_of_the_running_system_are_its_own(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        says_it_runs(tmp_path, "http://127.0.0.1:1")
        of = settings(tmp_path, AAF_PROXY_PORT=str(taken.getsockname()[1]))
        assert doctor._ports(of) == (True, "in use by the running system")


def test_no_running_system_is_nothing_wrong(tmp_path: Path) -> None:
    assert doctor._running(settings(tmp_path)) == (True, "none on this data directory")


def test_a_running_system_that_is_ready_is_told_whatever_proxy_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        says_it_runs(tmp_path, url)
        assert doctor._running(settings(tmp_path)) == (True, f"{url}: 200")


def test_a_running_system_that_is_not_ready_is_told_apart_from_one_that_is_silent(tmp_path: Path) -> None:
    with answering(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n") as url:
        says_it_runs(tmp_path, url)
        assert doctor._running(settings(tmp_path)) == (False, f"{url} is not ready: 503 Service Unavailable")


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"\x15\x03\x01\x00\x02\x02F"])
def test_what_answers_something_else_is_no_running_system(tmp_path: Path, answer: bytes) -> None:
    with answering(answer) as url:
        says_it_runs(tmp_path, url)
        ok, detail = doctor._running(settings(tmp_path))
    assert not ok
    assert detail.startswith(f"{url} does not answer: ")


@pytest.mark.parametrize("url", ["", "nonsense", "http://127.0.0.1:99999"])
def test_an_address_that_is_none_is_told(tmp_path: Path, url: str) -> None:
    says_it_runs(tmp_path, url)
    ok, detail = doctor._running(settings(tmp_path))
    assert not ok
    assert detail.startswith(f"{url} does not answer: ")
