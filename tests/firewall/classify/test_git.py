"""git over HTTP goes by its own names, and a push by its refs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, RISK_ORDER, Kind
from firewall.classify import classify
from firewall.classify.generic import Generic
from firewall.classify.git import Git
from tests.firewall.classify.vectors import Vector, check, escaped, load, pkt

IDS = ["0" * 40, "1" * 40, "a" * 40]


@pytest.mark.parametrize("vector", load("git.json"), ids=str)
def test_a_request_to_git_is_called_what_it_does(vector: Vector) -> None:
    check(vector, (Git(),))


def test_a_push_of_many_refs_shows_some_and_counts_the_rest() -> None:
    lines = [f"{IDS[1]} {IDS[2]} refs/tags/v{n}" + ("" if n else "\0 atomic") for n in range(30)]
    found = check(_push([*lines, None], "write"), (Git(),))
    assert list(found.details)[:1] == ["refs/tags/v0"]
    assert (len(found.details), found.details["more refs"]) == (22, "10")
    assert len(found.resource["refs"].split(",")) == 30


def test_a_push_of_too_many_refs_is_unknown() -> None:
    check(_push([*(f"{IDS[1]} {IDS[2]} refs/tags/v{n}" for n in range(1001)), None], "unknown"), (Git(),))


@given(st.lists(st.sampled_from(IDS), min_size=1, max_size=20), st.binary(max_size=40))
def test_a_push_that_removes_anything_is_a_deletion_whatever_else_it_does(ids: list[str], pack: bytes) -> None:
    lines: list[str | None] = [f"{IDS[1]} {new} refs/heads/{n}" for n, new in enumerate(ids)]
    expected = Kind.DELETE if IDS[0] in ids else Kind.WRITE
    check(_push([*lines, None], expected, tail=pack.decode("latin-1")), (Git(),))


@given(st.sampled_from(load("git.json")), st.integers(0, 200))
def test_a_path_and_field_names_that_are_written_otherwise_make_nothing_milder(vector: Vector, place: int) -> None:
    request, known = vector.request, vector.known
    before = classify(request, known, (Git(), Generic()))
    after = classify(escaped(request, place), known, (Git(), Generic()))
    assert KIND_ORDER.index(after.kind) >= KIND_ORDER.index(before.kind)
    assert RISK_ORDER.index(after.risk) >= RISK_ORDER.index(before.risk)


def _push(lines: list[str | None], kind: str, tail: str = "") -> Vector:
    body = b"".join(map(pkt, lines)) + tail.encode("latin-1")
    url = "POST https://github.com/octo/hello.git/git-receive-pack"
    return Vector(given={"name": "a push", "request": url, "hex": body.hex(), "is": "git:push", "kind": kind})
