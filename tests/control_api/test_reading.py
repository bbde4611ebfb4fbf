"""Documents are read in a process that has nothing to lose."""

import asyncio
import sys
from typing import Any

import pytest

from control_api import reading
from control_api.reading import Asked, Refused, facts_of, read
from firewall.catalogs import FACTS_BYTES

DOCUMENT = '{"openapi": "3.0.0", "servers": [{"url": "https://api.shop.com"}], "paths": {"/a": {"get": {"operationId": "a"}}}}'


def asked(document: str = DOCUMENT, hosts: tuple[str, ...] = ()) -> Asked:
    return Asked(service="shop", document=document, hosts=hosts, source="a test", date="2026-01-01")


async def test_the_process_says_what_the_function_says() -> None:
    assert await read(asked()) == facts_of(asked())
    with pytest.raises(Refused) as there:
        await read(asked("a: ["))
    with pytest.raises(Refused) as here:
        facts_of(asked("a: ["))
    assert there.value.problems == here.value.problems


async def test_it_is_given_no_setting_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, str]] = []

    async def spy(*_arguments: object, env: dict[str, str], **_more: object) -> None:
        told.append(env)
        raise FileNotFoundError

    monkeypatch.setenv("ENCRYPTION_MASTER_KEY", "secret")
    monkeypatch.setattr("asyncio.create_subprocess_exec", spy)
    with pytest.raises(FileNotFoundError):
        await read(asked())
    assert told == [{}]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not hold a process to its memory")
async def test_one_that_wants_more_memory_than_it_may_have_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    program = (
        "from control_api import reading; reading.MEMORY_BYTES = 1 << 28;"
        "reading.facts_of = lambda _: bytearray(1 << 30); reading.main()"
    )
    monkeypatch.setattr(reading, "COMMAND", (sys.executable, "-I", "-c", program))
    with pytest.raises(Refused, match="more than 60 s or 2 GiB"):
        await read(asked())


async def test_one_that_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[Any] = []
    start = asyncio.create_subprocess_exec

    async def spy(*arguments: Any, **more: Any) -> Any:
        children.append(await start(*arguments, **more))
        return children[-1]

    monkeypatch.setattr("asyncio.create_subprocess_exec", spy)
    monkeypatch.setattr(reading, "COMMAND", (sys.executable, "-I", "-c", "import time; time.sleep(600)"))
    with pytest.raises(Refused, match="not read within"):
        await read(asked(), seconds=0.1)
    assert children[0].returncode == -9


def test_facts_that_are_too_long_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "FACTS_BYTES", 10)
    with pytest.raises(Refused, match="add a part of it"):
        facts_of(asked())
    assert FACTS_BYTES > 1 << 20


def test_facts_name_their_own_hosts() -> None:
    text = facts_of(asked())
    assert facts_of(asked(text)) == text
    with pytest.raises(Refused, match="leave hosts out"):
        facts_of(asked(text, hosts=("a.test",)))
