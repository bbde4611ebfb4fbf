"""An action reads as people would say it, whatever its vendor calls it and whatever the agent put into it."""

import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.phrase import phrase, place, title

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "phrases.json").read_text())
SERVICES = ["http", "git", "npm", "grpc", "mcp", "github", "stripe", "oauth", "x"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: f"{vector['service']}:{vector['operation']}")
def test_a_name_and_what_it_is_done_to_make_a_phrase(vector: dict[str, Any]) -> None:
    given = {"source": "proxy"} | vector
    wanted = given.pop("phrase")
    assert phrase(**given, method="POST", path="/a/b") == wanted


def test_a_title_is_the_name_and_what_it_is_done_to() -> None:
    where = {"owner": "octo", "repo": "hello"}
    assert title(name="github:issues/create", resource=where, host="h", path="/p") == "github:issues/create on octo/hello"
    assert title(name="http:POST", resource={}, host="example.com", path="/a") == "http:POST on example.com/a"
    assert title(name="aws:s3:ListBuckets", resource={}, host="h", path="/p") == "aws:s3:ListBuckets"


def test_a_long_place_is_cut_between_names_of_characters() -> None:
    assert place({"repository": "a" * 200}) == "a" * 159 + "…"
    assert place({str(n): "\u202e" * 9 for n in range(6)}).count("⟦") == place({str(n): "\u202e" * 9 for n in range(6)}).count("⟧")


@given(
    st.sampled_from(SERVICES), st.text(max_size=300), st.sampled_from(["read", "unknown"]),
    st.dictionaries(st.sampled_from(["package", "repository", "refs", "model", "a", "issue_number"]), st.text(max_size=300)),
)  # fmt: skip
def test_no_name_and_no_place_hides_anything_or_grows_without_end(
    service: str, operation: str, kind: str, resource: dict[str, str]
) -> None:
    said = phrase(service=service, operation=operation, kind=kind, resource=resource, method="POST", path=operation)
    line = title(name=f"{service}:{operation}", resource=resource, host="h", path=operation)
    for shown in (said, line):
        assert 0 < len(shown) <= 400
        assert [c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}] == []
