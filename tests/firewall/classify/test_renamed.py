"""A user's catalog renames, and makes nothing milder: whatever our own classifiers find of a request stands."""

from dataclasses import replace

import pytest

from firewall.action import KIND_ORDER, RISK_ORDER, Classified, Kind, Risk
from firewall.classify import classify, wants_body
from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import Facts, Operation, Section
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.known import Empty, Known
from firewall.classify.renamed import no_milder, without_users
from firewall.request import Header, Request, parse
from tests.catalogs.shipped import shipped

JSON = (b"Content-Type", b"application/json")
MCP = (b"Accept", b"application/json, text/event-stream")
CALL = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wipe","arguments":{}}}'
GONE = b"0077" + b"1" * 40 + b" " + b"0" * 40 + b" refs/heads/main"
PUSH = (b"%04x" % (len(GONE) - 4 + 4 + 15)) + GONE[4:] + b"\0report-status\n" + b"0000"


def users(host: str, *operations: tuple[str, str]) -> BinaryIndex:
    """One that calls everything harmless."""
    facts = Facts(
        service="mine", title="t", source="s", date="2026-01-01", licence="l",
        sections=(
            Section(
                hosts=(host,),
                operations=tuple(
                    Operation(method=method, template=template, kind=Kind.READ, operation="harmless")
                    for method, template in operations
                ),
            ),
        ),
    )  # fmt: skip
    return BinaryIndex(build([(facts, "1")]))


def request(method: str, host: str, target: str, *headers: Header, body: bytes | None = None) -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=target.encode(), headers=headers, body=body)


RENAMED = {
    "git": (
        request(
            "POST", "github.com", "/o/r.git/git-receive-pack", (b"Content-Type", b"application/x-git-receive-pack-request"),
            body=PUSH,
        ),
        "/{o}/{r}/git-receive-pack",
    ),
    "mcp": (request("POST", "tools.test", "/mcp", JSON, MCP, body=CALL), "/mcp"),
    "graphql": (
        request("POST", "api.test", "/graphql", JSON, body=b'{"query":"mutation { deleteRepository(id: 1) { id } }"}'),
        "/graphql",
    ),
    "npm": (request("DELETE", "npm.test", "/left-pad/-rev/1-a", JSON), "/{name}/-rev/{rev}"),
}  # fmt: skip


@pytest.mark.parametrize("name", RENAMED)
def test_a_protocol_is_as_strict_and_done_to_the_same_under_another_name(name: str) -> None:
    of, template = RENAMED[name]
    speakers = {name: (of.host,)}
    plain, known = Known(speakers=speakers), Known(users=users(of.host, (of.method, template)), speakers=speakers)
    ours, named = classify(of, plain), classify(of, known)
    assert ours.service == name
    assert (named.service, named.operation) == ("mine", "harmless")
    assert KIND_ORDER.index(named.kind) >= KIND_ORDER.index(ours.kind)
    assert RISK_ORDER.index(named.risk) >= RISK_ORDER.index(ours.risk)
    assert ours.resource.items() <= named.resource.items()
    assert wants_body(replace(of, body=None), known) is wants_body(replace(of, body=None), plain)


def test_what_nobody_else_describes_is_the_users_to_describe() -> None:
    of = request("GET", "own.test", "/a")
    known = Known(users=users("own.test", ("GET", "/a")))
    assert classify(of, known).service == "mine"
    assert classify(request("GET", "own.test", "/b"), known).service == "http"


def test_it_is_read_twice_only_where_a_user_knows_the_place() -> None:
    known = Known(users=users("own.test", ("GET", "/a")), speakers={"git": ("own.test",)})
    assert without_users(known, "other.test") is None
    less = without_users(known, "own.test")
    assert less is not None
    assert isinstance(less.users, Empty)
    assert less.speakers is known.speakers


def test_nothing_that_was_found_is_lost() -> None:
    ours = Classified(
        service="a", operation="b", kind=Kind.DELETE, risk=Risk.HIGH, resource={"refs": "main", "x": "ours"}, details={"d": "1"},
        destinations=("one.test",), iam_action="s3:X", slashes=False,
    )  # fmt: skip
    named = Classified(
        service="c", operation="d", kind=Kind.READ, risk=Risk.LOW, resource={"x": "named"}, destinations=("two.test",), slashes=True
    )
    assert no_milder(named, ours) == Classified(
        service="c", operation="d", kind=Kind.DELETE, risk=Risk.HIGH, resource={"refs": "main", "x": "ours"}, details={"d": "1"},
        destinations=("two.test", "one.test"), iam_action="s3:X", slashes=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("target", "template"), [("/repos/o/r/", "/{a}/{b}/{c}/"), ("/repos/o/r;x/", "/{+all}"), ("/Repos/o/r", "/Repos/{o}/{r}")]
)
def test_nor_what_a_request_may_be_taken_for(target: str, template: str) -> None:
    known = replace(shipped(("github",)), users=users("api.github.com", ("DELETE", template)))
    got = classify(request("DELETE", "api.github.com", target), known)
    assert (got.service, got.kind, got.risk) == ("mine", Kind.DELETE, Risk.CRITICAL)
    assert got.details == {"looks like": "github:repos/delete"}
