"""HTTP/2 from agents that speak nothing else: the same path, the same rules (TRAPS 14, 15, 20)."""

from firewall.audit.entry import Event
from tests.gateway.http2_agent import Agent, agent
from tests.gateway.rig import ALLOW, DENY, HOLD, Rig, inner, until

MEGABYTE = 1 << 20


async def test_a_client_that_offers_both_speaks_http_1(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["h2", "http/1.1"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    assert (await wire.ask(inner("/a"))).status == 200


async def test_a_client_that_speaks_http_2_although_http_1_was_chosen_is_understood(rig: Rig) -> None:
    """httpx with `http1=False` offers both for form's sake."""
    wire = await rig.tunnel(alpn=["http/1.1", "h2"])
    assert wire.writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"
    made = Agent(wire.reader, wire.writer)
    made.h2.initiate_connection()
    for byte in made.h2.data_to_send():  # each in a TLS record of its own
        await wire.send(bytes([byte]))
    assert await made.answer(await made.request("GET", "/a")) == (200, b"reached /a")
    assert rig.ledger.decided() == [("allow", None)]


async def test_a_preface_that_is_none_is_a_malformed_request(rig: Rig) -> None:
    wire = await rig.tunnel(alpn=["http/1.1", "h2"])
    assert (await wire.ask(b"PRI * HTTP/2.0\r\n\r\nGET / HTTP/1.1\r\nHost: up.test\r\n\r\n")).code == "malformed"
    assert await wire.rest() == b""
    assert rig.log.requests == []


async def test_an_allowed_request_passes_to_a_destination_that_speaks_http_1(rig: Rig) -> None:
    made = await agent(rig)
    number = await made.request("GET", "/a?b=c")
    assert await made.answer(number) == (200, b"reached /a?b=c")
    assert rig.ledger.decided() == [("allow", None)]
    await until(lambda: rig.ledger.fields(Event.ACTION_COMPLETED))
    assert [seen.path for seen in rig.log.requests] == ["/a?b=c"]


async def test_a_denied_one_is_told_why_and_the_connection_serves_on(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = DENY
    number = await made.request()
    assert await made.code(number) == (403, "policy")
    assert made.heads[number]["x-aaf-decision"] == "deny"
    rig.engine.verdict = ALLOW
    assert (await made.answer(await made.request()))[0] == 200


async def test_many_requests_at_once_get_each_their_own_answer(rig: Rig) -> None:
    made = await agent(rig)
    numbers = [await made.request("GET", f"/{n}") for n in range(40)]
    for n, number in enumerate(numbers):
        assert await made.answer(number) == (200, f"reached /{n}".encode())
    assert sorted(seen.path for seen in rig.log.requests) == sorted(f"/{n}" for n in range(40))


async def test_a_held_one_does_not_stop_the_others_and_passes_once_approved(rig: Rig) -> None:
    made = await agent(rig)
    rig.engine.verdict = HOLD
    held = await made.request("POST", "/held", end=False)
    await made.data(held, b"amount=5", end=True)
    await rig.held()
    rig.engine.verdict = ALLOW
    assert (await made.answer(await made.request("GET", "/other")))[1] == b"reached /other"
    assert held not in made.heads
    rig.engine.verdict = HOLD
    rig.approve()
    assert await made.answer(held) == (200, b"reached /held")
    assert rig.log.requests[-1].body == b"amount=5"
