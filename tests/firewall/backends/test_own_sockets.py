"""Where the gateway itself listens, spelt in every way that leads there."""

import errno
import socket

import pytest

from firewall.backends.own_sockets import LocalSockets, ports_of
from firewall.settings import load

PORT = 18_080
MASTER = {"ENCRYPTION_MASTER_KEY": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}


def _interface_address() -> str:
    """An address of this machine that is not loopback, if it has one; no packet is sent to find it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError as error:
            assert error.errno == errno.ENETUNREACH  # noqa: PT017 (there is no route)
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.0.0.2", "127.255.255.254", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:0.0.0.0",
        "::127.0.0.1", "64:ff9b::127.0.0.1", "2002:7f00:1::", "::ffff:0:127.0.0.1", _interface_address(),
        "::ffff:" + _interface_address(),
    ],
)  # fmt: skip
def test_every_spelling_of_an_address_of_this_machine_leads_to_its_sockets(address: str) -> None:
    ours = LocalSockets([PORT])
    assert ours(address, PORT)
    assert not ours(address, PORT + 1)


@pytest.mark.parametrize("address", ["192.0.2.1", "8.8.8.8", "2001:db8::1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1"])
def test_an_address_of_another_machine_does_not(address: str) -> None:
    assert not LocalSockets([PORT])(address, PORT)


def test_port_0_is_no_port() -> None:
    assert not LocalSockets([0])("127.0.0.1", 0)


def test_every_port_of_the_installation_counts() -> None:
    settings = load(
        {
            **MASTER,
            "AAF_PROXY_PORT": "0",
            "AAF_API_PORT": "3101",
            "AAF_WEB_PORT": "3100",
            "AAF_GATEWAY_ADMIN_PORT": "9180",
            "AAF_WORKER_ADMIN_PORT": "9181",
            "DATABASE_URL": "postgresql://u:p@127.0.0.1:5433/aaf",
            "DATABASE_ADMIN_URL": "postgresql://u:p@127.0.0.1/aaf",
            "OPA_URL": "http://127.0.0.1:8181",
        }
    )
    assert ports_of(settings, proxy=8123) == {8123, 3101, 3100, 9180, 9181, 5433, 5432, 8181}


def test_a_socket_that_has_no_port_is_none() -> None:
    settings = load({**MASTER, "OPA_URL": "unix:///run/opa.sock", "DATABASE_URL": "postgresql:///aaf?host=/run/postgresql"})
    assert 0 not in LocalSockets(ports_of(settings, proxy=8080))._ports
