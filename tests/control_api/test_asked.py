import pytest

from control_api.asked import action_of
from control_api.faults import Invalid
from firewall.action import Action
from firewall.classify.known import NOBODY


def asked(
    method: str = "GET", url: str = "https://a.test/x", headers: tuple[tuple[str, str], ...] = (), body: bytes | None = None
) -> Action:
    return action_of(method=method, url=url, headers=headers, body=body, inspect_bytes=10, known=NOBODY)[0]


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port", "path", "query"),
    [
        ("https://A.test", "https", "a.test", 443, "/", ""),
        ("http://a.test:8080/x%20y?q=1&r", "http", "a.test", 8080, "/x%20y", "q=1&r"),
        ("https://[2001:DB8::1]/#there", "https", "2001:db8::1", 443, "/", ""),
    ],
)
def test_a_url_is_read_as_the_gateway_would_see_it(url: str, scheme: str, host: str, port: int, path: str, query: str) -> None:
    action = asked(url=url)
    assert (action.scheme, action.host, action.port, action.path, action.query) == (scheme, host, port, path, query)
    assert (action.id, action.agent, action.digest) == ("", "", "")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://a.test/", "http:// or https://"),
        ("a.test/x", "http:// or https://"),
        ("https:///x", "host"),
        ("https://u:p@a.test/", "host:port"),
        ("https://a.test:99999/", "port"),
        ("https://a.test/a b", "blank"),
        ("https://a.test/\tx", "control"),
        ("https://a.test/ü", "ASCII"),
        ("https://a.test/../x", "dot segment"),
        ("https://a.test/a%2Fb", "encoded slash"),
        ("https://a.test/" + "x" * 9000, "8192 bytes"),
        ("https://[::1/", "url"),
    ],
)
def test_what_is_no_request_or_is_refused_before_it_is_judged_is_said_so(url: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as refused:
        asked(url=url)
    assert refused.value.members["errors"][0]["path"] == "/url"


def test_headers_and_body_count() -> None:
    action = asked("POST", headers=(("X-HTTP-Method-Override", "DELETE"),), body=b"0123456789")
    assert (action.kind, action.overrides, action.truncated) == ("delete", ("DELETE",), False)
    assert asked("POST", body=b"0123456789a").truncated


@pytest.mark.parametrize("headers", [(("X-Ü", "a"),), (("X", "\u20ac"),), (("Connection", "Authorization"),)])
def test_header_fields_that_cannot_be_sent_are_refused(headers: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(Invalid):
        asked(headers=headers)


def test_more_other_methods_than_the_gateway_takes_are_refused() -> None:
    with pytest.raises(Invalid, match="other methods"):
        asked(headers=(("X-HTTP-Method", ",".join(f"M{n}" for n in range(20))),))
