import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.connect_to import Detour, parse_connect_to


@pytest.mark.parametrize("text", ["", " ", "\t"])
def test_nothing_is_no_detour(text: str) -> None:
    assert parse_connect_to(text) == ()


def test_it_reads_as_curl_does() -> None:
    assert parse_connect_to("Example.com:443:127.0.0.1:8443, ::[::1]:9000,a.b:80::8080,:::") == (
        Detour(host="example.com", port=443, to_host="127.0.0.1", to_port=8443),
        Detour(host="", port=0, to_host="::1", to_port=9000),
        Detour(host="a.b", port=80, to_host="", to_port=8080),
        Detour(host="", port=0, to_host="", to_port=0),
    )


def test_a_host_has_the_form_that_requests_have() -> None:
    assert parse_connect_to("BÜCHER.example:443:[2001:DB8:0::1]:1") == (
        Detour(host="xn--bcher-kva.example", port=443, to_host="2001:db8::1", to_port=1),
    )
    assert parse_connect_to("[2001:DB8::1]:443:up:1")[0].matches("2001:db8::1", 443)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x", "write"),
        ("a:b", "write"),
        ("a:1:b", "write"),
        (",", "write"),
        ("a:1:b:2,", "write"),
        ("a:1:b:c", "'c' is not a port"),
        ("a:0:b:1", "'0' is not a port"),
        ("a:1:b:70000", "'70000' is not a port"),
        ("a:1:b:٣", "is not a port"),
        ("a:+1:b:2", "is not a port"),
        ("a:1:b:2:3", "'2:3' is not a port"),
        ("[::1:1:b:2", "brackets"),
        ("[::1]x:1:b:2", "brackets"),
        ("a:1:[x]:2", "brackets"),
        ("a:1:[127.0.0.1]:2", "brackets"),
        ("a:1:[fe80::1%eth0]:2", "brackets"),
        ("a b:1:c:2", "'a b' is not a host name"),
        ("*.a:1:c:2", "is not a host name"),
        ("a.:1:c:2", "is not a host name"),
        ("a:1:127.1:2", "'127.1' is not a host name or address"),
        ("a:1:010.0.0.1:2", "is not a host name or address"),
        ("http://a:1:b:2", "is not a host name"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_connect_to(text)


@pytest.mark.parametrize(
    ("entry", "host", "port", "matches"),
    [
        ("a.test:443:x:1", "a.test", 443, True),
        ("a.test:443:x:1", "a.test", 80, False),
        ("a.test:443:x:1", "b.test", 443, False),
        ("a.test:443:x:1", "sub.a.test", 443, False),
        ("a.test::x:1", "a.test", 80, True),
        (":443:x:1", "b.test", 443, True),
        (":443:x:1", "b.test", 80, False),
        ("::x:1", "b.test", 80, True),
    ],
)
def test_an_empty_part_matches_everything_and_nothing_else_does(entry: str, host: str, port: int, matches: bool) -> None:
    assert parse_connect_to(entry)[0].matches(host, port) is matches


@given(st.one_of(st.text(max_size=30), st.from_regex(r"[a-z.:\[\]0-9, ]{0,30}", fullmatch=True)))
def test_any_text_is_read_or_refused_as_a_bad_value(text: str) -> None:
    try:
        detours = parse_connect_to(text)
    except ValueError:
        return
    assert all(0 <= port <= 65535 for detour in detours for port in (detour.port, detour.to_port))
