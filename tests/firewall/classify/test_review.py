"""The reviewed risks: every entry can be read, says why, and is about something."""

import json
from pathlib import Path
from typing import Any

import pytest

from firewall.action import Risk
from firewall.classify.review import SHIPPED, BadReview, Entry, read_review

ROOT = Path(__file__).parents[3]
FACTS, VECTORS = ROOT / "firewall" / "classify" / "facts", ROOT / "tests" / "vectors"
TEXT = (
    "# a remark\n\na:b\thigh\twhy\na:b*\tmedium\tall of these\na:*Policy\tcritical\tthat one too\nc:*\tlow\teverything\n"
    + "e:*x*y*z\thigh\ttwo inside\n"
)


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        ("a:b", Risk.HIGH),
        ("a:bc", Risk.MEDIUM),
        ("a:bPolicy", Risk.CRITICAL),
        ("a:Policy", Risk.CRITICAL),
        ("a:policy", None),
        ("a:c", None),
        ("c:", Risk.LOW),
        ("c:anything:at/all", Risk.LOW),
        ("cc:x", None),
        ("e:xyz", Risk.HIGH),
        ("e:1x2y3z", Risk.HIGH),
        ("e:yxz", None),
        ("e:xy", None),
        ("d:b", None),
        ("", None),
    ],
)
def test_of_all_that_match_the_strictest_counts(name: str, risk: Risk | None) -> None:
    assert read_review(TEXT).of(name) is risk


def test_a_star_does_not_let_what_stands_before_and_behind_it_overlap() -> None:
    assert not Entry(name="a:bb*bb", risk=Risk.LOW, reason="x").matches("a:bbb")
    assert Entry(name="a:bb*bb", risk=Risk.LOW, reason="x").matches("a:bbbb")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("a:b high why", "separated by one TAB"),
        ("a:b\thigh\t", "separated by one TAB"),
        ("a:b\thigh\twhy\tmore", "separated by one TAB"),
        ("ab\thigh\twhy", "not service:operation"),
        (":b\thigh\twhy", "not service:operation"),
        ("a:\thigh\twhy", "not service:operation"),
        ("*:b\thigh\twhy", "not service:operation"),
        ("a:b\tbad\twhy", "no risk"),
        ("a:c\tlow\twhy\na:c\thigh\twhy", "line 2: a:c comes twice"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_line(line: str, why: str) -> None:
    with pytest.raises(BadReview, match=why):
        read_review(line)


def test_what_is_shipped_covers_much_and_says_why() -> None:
    assert len(SHIPPED.entries) >= 150
    assert [entry.name for entry in SHIPPED.entries if len(entry.reason) < 8] == []


def test_every_entry_is_about_something_that_is_shipped() -> None:
    """The names of the catalogs' operations, and those that the dialects' vectors show."""
    names: dict[str, set[str]] = {"oauth": {"oauth:token/client_credentials", "oauth:register"}}
    for path in FACTS.glob("*.facts"):
        service = ""
        for line in path.read_text().splitlines():
            fields = line.split("\t")
            if fields[0] == "service":
                service = fields[1]
            elif fields[0] == "op":
                names.setdefault(service, set()).add(f"{service}:{fields[4] or ' '.join(fields[1:3])}")
    for path in VECTORS.glob("*.json"):
        for name in _called(json.loads(path.read_text())):
            names.setdefault(name.partition(":")[0], set()).add(name)
    idle = [entry.name for entry in SHIPPED.entries if not any(map(entry.matches, names.get(entry.name.partition(":")[0], ())))]
    assert idle == []


def _called(vectors: Any) -> set[str]:
    given = vectors if isinstance(vectors, list) else []
    return {each["is"] for each in given if isinstance(each, dict) and isinstance(each.get("is"), str)}
