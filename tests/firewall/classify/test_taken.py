from dataclasses import replace

import pytest

from firewall.action import Classified, Kind, Risk
from firewall.classify import classify, wants_body
from firewall.classify.known import Empty, Known, Match, operators_place
from firewall.classify.taken import as_strict, looser, taken_for
from firewall.request import Header, Request, parse

EXEC = ("api", "pods", "p", "exec")
CLUSTER = "cluster.test"


class Catalog(Empty):
    """`GET /api/pods/p/exec` executes, `DELETE /api/pods/p` deletes."""

    def knows(self, place: str) -> bool:
        return place in ("a.test", operators_place("kubernetes"))

    def look_up(
        self, place: str, method: str, segments: tuple[str, ...], query: str, header_names: frozenset[bytes]
    ) -> Match | None:
        kinds = {("GET", EXEC): Kind.EXECUTE, ("DELETE", EXEC[:3]): Kind.DELETE, ("GET", EXEC[:3]): Kind.READ}
        kind = kinds.get((method, segments))
        if kind is None or not self.knows(place):
            return None
        return Match(service="kubernetes", operation=f"{method}Pod", kind=kind, template="/", parameters={}, catalog="k@1")


KNOWN = Known(shipped=Catalog(), speakers={"kubernetes": (CLUSTER,)})
NAMED = Classified(service="http", operation="GET", kind=Kind.READ, risk=Risk.MEDIUM)


def request(target: str, *headers: Header, method: str = "GET", host: str = "a.test") -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=target.encode(), headers=headers)


@pytest.mark.parametrize(
    "target",
    [
        "/api/pods/p/exec/",
        "/API/Pods/p/exec",
        "/api;v=1/pods/p/exec;x",
        "/api/pods/p/exec%20",
        "/api/pods/P/EXEC/?a",
        "/%61pi/pods/p/exec/",
    ],
)
def test_a_path_that_servers_may_read_as_a_described_one_is_no_milder(target: str) -> None:
    found = classify(request(target), KNOWN)
    assert (found.service, found.kind, found.risk) == ("http", Kind.EXECUTE, Risk.HIGH)
    assert found.details == {"looks like": "kubernetes:GETPod"}


@pytest.mark.parametrize("target", ["/k8s/clusters/c-1/api/pods/p/exec", "/x/API/pods/p/exec/"])
def test_where_the_operator_says_who_answers_a_prefix_may_be_the_proxys(target: str) -> None:
    assert classify(request(target, host=CLUSTER), KNOWN).kind is Kind.EXECUTE
    assert classify(request(target), KNOWN).kind is Kind.READ


@pytest.mark.parametrize("target", ["/api/pods/p/exec", "/api/pods/p/execs", "/api/pods/p/exec/more/", "/"])
def test_nothing_else_is_raised(target: str) -> None:
    assert "looks like" not in classify(request(target), KNOWN).details


def test_what_a_named_method_would_do_is_what_the_request_may_do() -> None:
    override = (b"X-HTTP-Method-Override", b"DELETE")
    found = classify(request("/api/pods/p", override), KNOWN)
    assert (found.service, found.operation, found.kind, found.risk) == ("kubernetes", "GETPod", Kind.DELETE, Risk.HIGH)
    assert {other.method for other in taken_for(request("/api/pods/p/", override), found, KNOWN)} == {"DELETE"}


def test_the_body_is_wanted_where_it_would_be_at_the_plain_path() -> None:
    assert wants_body(request("/MCP", method="POST"))
    assert wants_body(request("/mcp;a=b/", method="POST"))
    assert not wants_body(request("/Other", method="POST"))


def test_nearly_every_request_is_taken_for_nothing_else() -> None:
    assert not list(taken_for(request("/a/b"), NAMED, KNOWN))
    assert not list(taken_for(request("/a/B/"), replace(NAMED, service="github"), KNOWN))
    assert looser(request("/a/b")) is None
    assert looser(request("/")) is None


def test_it_is_raised_and_never_lowered() -> None:
    milder = replace(NAMED, kind=Kind.READ, risk=Risk.LOW, service="a")
    assert as_strict(NAMED, milder) is NAMED
    assert as_strict(NAMED, replace(NAMED, kind=Kind.DELETE)) == replace(NAMED, kind=Kind.DELETE)
