"""Every attack of `tests/vectors/attacks` against the gateway: it is refused with its reason or made harmless, nothing of it
reaches the destination, the connection ends where it must, and where somebody is known the refusal is on record."""

import asyncio
from functools import partial

import pytest

from firewall.backends.dns import Dns
from tests.attacks.conftest import Trust
from tests.attacks.names import OPEN, SECRET, lie, open_and_secret
from tests.attacks.parametrized import parametrized
from tests.attacks.scene import Scene, governed, resolving, scene
from tests.attacks.vector import Answering, Attack, Expected, Family, Naming, families, raw
from tests.firewall.backends.dns_server import dns_server
from tests.gateway.rig import Answer, Rig, Wire, basic, inner, plain

FAMILIES = families()
TLS_ALERT = b"\x15\x03"


vectors = partial(parametrized, FAMILIES)


def test_there_are_enough_of_them_and_each_says_where_it_comes_from() -> None:
    every = [vector for family in FAMILIES for vector in family.vectors]
    assert len(FAMILIES) >= 25
    assert len(every) >= 300
    assert [vector.attack for vector in every if not vector.source] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_names_each_attack_once_and_each_refusal_its_reason(family: Family) -> None:
    names = [vector.attack for vector in family.vectors]
    assert len(names) == len(set(names))
    expected = [one for vector in family.vectors for one in ([vector] if isinstance(vector, Answering) else vector.answers)]
    assert [one for one in expected if one.code and not one.detail] == []


# --- by the agent -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", vectors("request"))
async def test_an_attack_of_an_agent(attack: Attack, trust: Trust) -> None:
    async with scene(trust.tls, trust.roots, attack=attack) as stage:
        wire = await stage.open(attack)
        await stage.send(wire, attack)
        if attack.waits:
            assert stage.witness.connections == 0
            return
        if attack.holds:
            await stage.rig.held(attack.holds)
            assert stage.witness.received == b""
            stage.rig.approve()
        answers = [await _answer(wire, attack, expected) for expected in attack.answers]
        _is_on_record(stage.rig, attack, answers)
        if all(effect != "allow" for effect, _ in stage.rig.ledger.decided()):
            assert stage.witness.connections == 0
        reached = list(attack.reached)
        if attack.ends:
            rest = await wire.rest()
            assert rest == b"" or (attack.closed and rest[:2] == TLS_ALERT and len(rest) == 7)
        else:
            after = await wire.ask(inner("/after", host=attack.to) if attack.where.startswith("tunnel") else plain("/after"))
            assert after.status == attack.after
            if after.status == 200:
                assert after.body == b"reached /after"
                reached.append("GET /after")
        assert stage.witness.requests == reached
        assert [text for text in attack.absent if text.lower().encode("latin-1") in bytes(stage.witness.received).lower()] == []
        assert stage.asked == []


async def _answer(wire: Wire, attack: Attack, expected: Expected) -> Answer:
    bodiless = (attack.where == "connect" and expected.status == 200) or str(attack.send[0]).startswith("HEAD ")
    answer = await wire.answer(head_only=bodiless)
    while answer.status == 100 != expected.status:  # whether it is said hangs on how soon the body came
        answer = await wire.answer(head_only=bodiless)
    assert answer.status == expected.status, answer
    if expected.code:
        assert answer.code == expected.code
        assert expected.detail in answer.json()["detail"]
    else:
        assert "x-aaf-decision" not in answer.headers
    return answer


def _is_on_record(rig: Rig, attack: Attack, answers: list[Answer]) -> None:
    """Each refusal has its entry, which has its action's id; of somebody unknown there is none."""
    refusals = [answer for answer in answers if answer.headers.get("x-aaf-decision")]
    if attack.nameless:
        assert [answer.headers.get("x-aaf-action") for answer in refusals] == [None] * len(refusals)
        assert attack.reached or rig.ledger.drafts == []
        return
    recorded = [(code, fields["action"]) for draft in rig.ledger.drafts if (code := (fields := dict(draft.fields)).get("code"))]
    for answer in refusals:
        assert (answer.code, answer.json()["action_id"]) in recorded


# --- by the destination ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", vectors("answer"))
async def test_an_attack_of_a_destination(attack: Answering, trust: Trust) -> None:
    hostile = [raw(piece, {}) for piece in attack.answer]
    async with scene(None, trust.roots, hostile=hostile, hangs_up=attack.hangs_up) as stage:
        wire = await stage.rig.connect()
        await wire.send(plain("/first", method=attack.method, headers=attack.headers))
        got = await _read(wire, attack)
        assert [text for text in attack.absent if text.lower() in got] == []
        if attack.code:
            assert stage.rig.ledger.failed() == [attack.code]
        await _others_are_served(stage, wire)
        first, *others = stage.witness.came_on
        assert (first in others) == attack.reused


async def _read(wire: Wire, attack: Answering) -> str:
    """The answer as the agent gets it, interim ones included, in lower case."""
    seen = ""
    if attack.cut:
        with pytest.raises((asyncio.IncompleteReadError, ValueError)):
            await wire.answer()
        return seen
    bodiless = attack.method == "HEAD" or attack.status == 304
    answer = await wire.answer(head_only=bodiless)
    while answer.status < 200:
        seen += str(answer)
        answer = await wire.answer(head_only=bodiless)
    assert answer.status == attack.status, answer
    if attack.code and bodiless:
        assert answer.headers["x-aaf-decision"] == "error"
    elif attack.code:
        assert (answer.code, attack.detail in answer.json()["detail"]) == (attack.code, True), answer
    elif "content-length" not in answer.headers and answer.headers.get("connection") == "close" and attack.body is not None:
        assert (await wire.rest()).decode("latin-1") == attack.body
    elif attack.body is not None:
        assert answer.body.decode("latin-1") == attack.body
    return (seen + str(answer)).lower()


async def _others_are_served(stage: Scene, wire: Wire) -> None:
    """The agent's next request, on the same connection where it still stands, and another agent's."""
    try:
        answer = await wire.ask(plain("/next"))
    except (ConnectionError, asyncio.IncompleteReadError):
        answer = await stage.rig.ask(plain("/next"))
    assert (answer.status, answer.body) == (200, b"reached /next")
    other = plain("/other").replace(basic().encode(), basic("second").encode())
    answer = await stage.rig.ask(other)
    assert (answer.status, answer.body) == (200, b"reached /other")
    assert stage.witness.requests[1:] == ["GET /next", "GET /other"]


# --- by whoever owns a name -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("attack", vectors("names"))
async def test_an_attack_of_a_name(attack: Naming, trust: Trust) -> None:
    clock = [0.0]
    async with dns_server() as dns, open_and_secret() as (open_one, secret):
        lie(dns, attack)
        resolver = resolving(Dns([dns.where]), clock)
        port = open_one.port
        async with governed(trust.roots, resolver, ports=[port], allow_private=attack.allow_private) as rig:
            wire = await rig.connect()
            for expected in attack.answers:
                request = plain("/", host=f"{attack.host}:{rig.port if attack.host.startswith('self.') else port}")
                answer = await wire.ask(request)
                assert answer.status == expected.status, answer
                if expected.code:
                    assert (answer.code, expected.detail in answer.json()["detail"]) == (expected.code, True), answer.json()
                clock[0] += attack.ttl + 2
            dialled = tuple(address for one, address in ((open_one, OPEN), (secret, SECRET)) for _ in range(one.connections))
            assert dialled == attack.dialled
            assert secret.received == b""
            if attack.asked is not None:
                assert dns.times(attack.host) == attack.asked
        await resolver.close()
