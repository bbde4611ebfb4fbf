"""docker-compose.yml's networks as network namespaces: an agent gets out through the gateway, as far as the policy says, and no
other way."""

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest
from ruamel.yaml import YAML

from tests.conftest import PostgresServer
from tests.e2e.conftest import PartsFactory
from tests.e2e.jail import GATEWAY_IN, INTERNET, PORT, Plan, Tried, missing, run
from tests.e2e.pki import TestAuthority

ROOT = Path(__file__).parents[2]


def by_socket(dsn: str, folder: str) -> str:
    """The same database through the server's Unix socket."""
    parts = urlsplit(dsn)
    user = parts.netloc.rsplit("@", 1)[0]
    return urlunsplit(parts._replace(netloc=f"{user}@", query=f"host={quote(folder, safe='')}&port={parts.port}"))


async def socket_folder(postgres_server: PostgresServer, dsn: str) -> str:
    connection = await asyncpg.connect(dsn)
    try:
        return str(await connection.fetchval("show unix_socket_directories"))
    finally:
        await connection.close()


@pytest.fixture(scope="module")
def tried(
    make_parts: PartsFactory, authority: TestAuthority, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Tried]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    import asyncio

    parts = make_parts(AAF_CONNECT_TO=f":443:{INTERNET}:{PORT}")
    agent = parts.agent("jailed")
    with (ROOT / "docker-compose.yml").open() as stream:
        sysctls = YAML(typ="safe").load(stream)["services"]["gateway"]["sysctls"]
    socket = asyncio.run(socket_folder(postgres_server, parts.database.super_dsn))
    pair = authority.issue("open.test", "closed.test")
    plan = Plan(
        folder=str(tmp_path_factory.mktemp("jail")),
        environment=parts.environment | {"DATABASE_URL": by_socket(parts.environment["DATABASE_URL"], socket)},
        proxy=f"{agent.name}:{agent.token}",
        ca_file=str(parts.ca_file),
        upstream_ca_file=str(authority.file),
        certificate=str(pair.certificate),
        key=str(pair.key),
        allowed="open.test",
        denied="closed.test",
        sysctls={name: str(value) for name, value in sysctls.items()},
    )
    return run(plan, os.environ["PATH"])


def test_the_internet_is_out_of_an_agents_reach(tried: Mapping[str, Tried]) -> None:
    assert (tried["direct"].exit, tried["direct"].reached) == (28, [])  # 28: no answer to its packets


def test_it_is_the_gateway_that_forwards_no_packets_which_keeps_it_out_of_reach(tried: Mapping[str, Tried]) -> None:
    assert tried["direct if the gateway forwarded packets"].status == "200"


def test_through_the_gateway_an_allowed_request_passes(tried: Mapping[str, Tried]) -> None:
    assert (tried["allowed"].status, tried["allowed"].body) == ("200", "reached")
    assert tried["allowed"].reached == ["open.test/"]


def test_through_the_gateway_a_denied_request_does_not_pass(tried: Mapping[str, Tried]) -> None:
    assert tried["denied"].status == "403"
    assert "Nobody goes there" in tried["denied"].body
    assert tried["denied"].reached == []


def test_without_a_credential_nothing_passes(tried: Mapping[str, Tried]) -> None:
    assert tried["nameless"].exit == 56  # the proxy refused CONNECT
    assert tried["nameless"].reached == ["open.test/"]  # the allowed one before it


def test_health_and_metrics_of_the_gateway_are_out_of_an_agents_reach(tried: Mapping[str, Tried]) -> None:
    assert tried["admin"].exit == 7, f"{GATEWAY_IN} answered"  # 7: refused
