import base64

import pytest

from addons.authenticate import Authenticate
from addons.walk import take
from firewall.errors import Abandoned, AgentDisabled, Unidentified
from tests.addons.made import CLIENT, Made
from tests.gateway.rig import TOKEN


def basic(text: str) -> bytes:
    return b"Basic " + base64.b64encode(text.encode())


GOOD = (b"Proxy-Authorization", basic(f"demo:{TOKEN}"))


async def test_agent_and_token_identify_and_are_stripped() -> None:
    made = Made()
    passage = made.passage(headers=(GOOD, (b"Proxy-Connection", b"keep-alive"), (b"Accept", b"*/*")))
    await take(Authenticate(made.services), passage)
    assert passage.credential is made.agents.credential
    assert [name for name, _ in passage.flow.request.headers.fields] == [b"Host", b"Accept"]


@pytest.mark.parametrize(
    "headers",
    [
        (),
        ((b"Proxy-Authorization", b""),),
        ((b"Proxy-Authorization", b"Bearer " + TOKEN.encode()),),
        ((b"Proxy-Authorization", b"Basic not base64"),),
        ((b"Proxy-Authorization", basic("no colon")),),
        ((b"Proxy-Authorization", basic(f"other:{TOKEN}")),),
        ((b"Proxy-Authorization", basic("demo:" + "x" * 43)),),
        ((b"Proxy-Authorization", basic("demo:")),),
        ((b"Proxy-Authorization", basic("x" * 5000)),),
        (GOOD, GOOD),
        ((b"Authorization", basic(f"demo:{TOKEN}")),),
    ],
)
async def test_no_or_wrong_credentials_are_refused(headers: tuple[tuple[bytes, bytes], ...]) -> None:
    made = Made()
    passage = made.passage(headers=headers)
    with pytest.raises(Unidentified):
        await take(Authenticate(made.services), passage)
    assert passage.credential is None
    assert not [name for name, _ in passage.flow.request.headers.fields if name.lower() == b"proxy-authorization"]


async def test_a_tunnel_carries_the_identity_inward() -> None:
    made = Made()
    tunnel = made.services.tunnels.of(CLIENT)
    tunnel.credential, tunnel.target = made.agents.credential, ("up.test", 443)
    passage = made.passage()
    await take(Authenticate(made.services), passage)
    assert passage.credential is made.agents.credential


async def test_a_tunnel_whose_agent_was_disabled_carries_nothing() -> None:
    made = Made()
    tunnel = made.services.tunnels.of(CLIENT)
    tunnel.credential, tunnel.target = made.agents.credential, ("up.test", 443)
    made.agents.disable()
    with pytest.raises(AgentDisabled):
        await take(Authenticate(made.services), made.passage())


async def test_a_tunnel_without_an_identity_lets_nobody_in_by_a_header() -> None:
    made = Made()
    made.services.tunnels.of(CLIENT).target = ("up.test", 443)
    with pytest.raises(AgentDisabled):
        await take(Authenticate(made.services), made.passage(headers=(GOOD,)))


async def test_a_connection_that_is_gone_identifies_nobody() -> None:
    made = Made()
    made.services.tunnels.close(CLIENT)
    with pytest.raises(Abandoned):
        await take(Authenticate(made.services), made.passage(headers=(GOOD,)))
