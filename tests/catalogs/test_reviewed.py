"""What generators decide by themselves: kinds and templates."""

import pytest

from firewall.action import Kind
from tools.catalog.google import segments_of
from tools.catalog.reviewed_aws import kind_of, verb_of
from tools.catalog.slack import kind_of as slack_kind


@pytest.mark.parametrize(
    ("method", "name", "level", "readonly", "kind"),
    [
        ("POST", "ListThings", None, False, Kind.READ),
        ("POST", "ListThings", "Write", False, Kind.WRITE),
        ("POST", "ListThings", "Write", True, Kind.WRITE),
        ("POST", "GetThing", "Permissions management", False, Kind.WRITE),
        ("POST", "SearchThings", None, False, Kind.WRITE),
        ("POST", "SearchThings", "Read", False, Kind.READ),
        ("POST", "OptimizeThings", "Read", True, Kind.READ),
        ("POST", "BatchDeleteThings", "Write", False, Kind.DELETE),
        ("GET", "DeleteThing", None, False, Kind.DELETE),
        ("GET", "CreateSession", "Write", False, Kind.WRITE),
        ("PUT", "GetThing", "Read", True, Kind.WRITE),
        ("POST", "InvokeThing", "Write", False, Kind.EXECUTE),
    ],
)
def test_a_post_of_aws_is_a_read_only_if_verb_or_trait_say_so_and_iam_does_not_call_it_write(
    method: str, name: str, level: str | None, readonly: bool, kind: Kind
) -> None:
    assert kind_of(method, "service", name, level, readonly=readonly) is kind


def test_the_verb_of_an_operation_is_its_first_word_behind_batch_and_admin() -> None:
    assert [verb_of(name) for name in ("BatchGetItem", "AdminDeleteUser", "DescribeDBInstances", "Query", "BatchOnly")] == [
        "Get",
        "Delete",
        "Describe",
        "Query",
        "Only",
    ]


@pytest.mark.parametrize(
    ("pattern", "segments"),
    [
        ("^projects/[^/]+/locations/[^/]+$", "projects/*/locations/*"),
        ("^projects/[^/]+/secrets/.*$", "projects/*/secrets/**"),
        ("folders/[0-9]{0,20}", "folders/*"),
        ("^[^/]+$", "*"),
        ("(projects/)?[0-9]{0,20}", None),
        ("^a/.*/b$", None),
        ("^[^a]+$", None),
    ],
)
def test_a_pattern_says_which_segments_a_parameter_of_google_has(pattern: str, segments: str | None) -> None:
    assert segments_of(pattern) == segments


def test_a_method_of_slack_that_is_no_reviewed_read_is_a_write_or_a_deletion() -> None:
    kinds = {
        name: slack_kind(name) for name in ("chat.postMessage", "users.list", "files.delete", "files.getUploadURLExternal", "new.x")
    }
    assert [kind.value for kind in kinds.values()] == ["write", "read", "delete", "write", "write"]
