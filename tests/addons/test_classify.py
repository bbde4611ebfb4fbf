import pytest

from addons.classify import Classify
from addons.passage import Condemned
from addons.walk import take
from firewall.action import Kind, Risk
from firewall.errors import Malformed, Misdirected
from tests.addons.made import CLIENT, Made


async def test_a_request_becomes_an_action() -> None:
    made = Made()
    passage = made.known(method="POST", path="/repos/o%20x?page=2")
    await take(Classify(made.services), passage)
    action = passage.with_action()
    assert (action.name, action.kind, action.method, action.host, action.port) == ("http:POST", Kind.WRITE, "POST", "up.test", 80)
    assert (action.path, action.query, action.canonical_path) == ("/repos/o%20x", "page=2", "/repos/o x")


async def test_an_action_says_which_other_methods_it_may_be_taken_for_and_too_many_are_refused() -> None:
    made = Made()
    passage = made.known(method="POST", path="/?_method=delete")
    await take(Classify(made.services), passage)
    assert (passage.with_action().overrides, passage.with_action().kind) == (("DELETE",), Kind.DELETE)
    passage = made.known(method="POST", path="/?" + "&".join(f"_method=m{n}" for n in range(9)))
    with pytest.raises(Malformed, match="other methods"):
        await take(Classify(made.services), passage)


@pytest.mark.parametrize("host", [b"other.test", b"up.test:81", b""])
async def test_a_host_that_disagrees_is_refused_as_the_riskiest_there_is(host: bytes) -> None:
    made = Made()
    passage = made.known()
    passage.flow.request.headers["Host"] = host.decode()
    with pytest.raises((Misdirected, Malformed)):
        await take(Classify(made.services), passage)
    assert (passage.with_action().kind, passage.with_action().risk) == (Kind.UNKNOWN, Risk.CRITICAL)


@pytest.mark.parametrize("fields", [(), ((b"Host", b"up.test"), (b"Host", b"up.test"))])
async def test_exactly_one_host_is_needed(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    made = Made()
    passage = made.known()
    passage.flow.request.headers.fields = fields
    with pytest.raises(Malformed, match="exactly one Host"):
        await take(Classify(made.services), passage)


async def test_inside_a_tunnel_its_target_is_the_destination() -> None:
    made = Made()
    made.services.tunnels.of(CLIENT).target = ("up.test", 80)
    passage = made.known(host="UP.test")
    passage.flow.client_conn.sni = "Up.test"
    await take(Classify(made.services), passage)
    assert passage.flow.request.data.host == passage.with_action().host == "up.test"


async def test_a_server_name_that_disagrees_is_refused() -> None:
    made = Made()
    made.services.tunnels.of(CLIENT).target = ("up.test", 80)
    passage = made.known()
    passage.flow.client_conn.sni = "other.test"
    with pytest.raises(Misdirected, match="server name"):
        await take(Classify(made.services), passage)


async def test_a_head_that_was_none_is_refused_with_its_own_reason() -> None:
    made = Made()
    passage = made.known()
    condemned = Condemned("up.test", 80, b"GET", b"http", b"", b"/", b"HTTP/1.1", passage.flow.request.headers, b"", None, 0.0, 0.0)
    condemned.refusal = Malformed("a field has no name")
    passage.flow.request = condemned
    with pytest.raises(Malformed, match="a field has no name"):
        await take(Classify(made.services), passage)
    assert passage.action is not None


@pytest.mark.parametrize(
    ("given", "seconds", "kept"),
    [
        ((b"wait=10",), 10, []),
        ((b"respond-async, wait=7",), 7, ["respond-async"]),
        ((b"respond-async", b"Wait = 3"), 3, ["respond-async"]),
        ((b"wait=soon",), None, ["wait=soon"]),
        ((b"wait=1", b"wait=9"), 1, []),
    ],
)
async def test_prefer_wait_is_for_us_and_other_preferences_are_not(
    given: tuple[bytes, ...], seconds: int | None, kept: list[str]
) -> None:
    made = Made()
    passage = made.known(headers=tuple((b"Prefer", one) for one in given))
    await take(Classify(made.services), passage)
    assert passage.prefer_wait == seconds
    assert passage.flow.request.headers.get_all("prefer") == kept


async def test_an_upgrade_is_stripped_with_all_that_belongs_to_it() -> None:
    made = Made()
    upgrade = ((b"Connection", b"Upgrade, HTTP2-Settings, keep-alive"), (b"Upgrade", b"h2c"), (b"HTTP2-Settings", b"AAMA"))
    passage = made.known(headers=upgrade)
    await take(Classify(made.services), passage)
    headers = passage.flow.request.headers
    assert ("upgrade" in headers, "http2-settings" in headers, headers["connection"]) == (False, False, "keep-alive")


async def test_an_upgrade_to_websocket_stays() -> None:
    made = Made()
    passage = made.known(headers=((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")))
    await take(Classify(made.services), passage)
    assert passage.flow.request.headers["upgrade"] == "websocket"
