import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, Kind
from firewall.classify.catalog.verbs import Reviewed, kind_of
from firewall.classify.generic import method_kind

READ, WRITE, DELETE, EXECUTE = Kind.READ, Kind.WRITE, Kind.DELETE, Kind.EXECUTE


@pytest.mark.parametrize(
    ("method", "template", "operation", "kind"),
    [
        ("GET", "/repos/{owner}", "repos/get", READ),
        ("GET", "/pods/{name}/exec", "connectCoreV1GetNamespacedPodExec", EXECUTE),
        ("GET", "/pods/{name}/exec", "", EXECUTE),
        ("GET", "/users/{id}/delete", "", DELETE),
        ("GET", "/users/{id}/delete", "getUsersIdDelete", DELETE),
        ("GET", "/user", "deleteUser", DELETE),
        ("GET", "/user", "users_delete", DELETE),
        ("GET", "/user", "Users_Delete", DELETE),
        ("GET", "/user", "users.remove", DELETE),
        ("GET", "/message", "sendMessage", WRITE),
        ("GET", "/x", "getAndDelete", DELETE),
        ("GET", "/x", "bulk-remove", DELETE),
        ("GET", "/x", "undelete", READ),
        ("GET", "/x", "listDeleted", READ),
        ("GET", "/x", "actions/get-workflow-run", READ),
        ("GET", "/x/{id}/run", "jobs/get-run", READ),
        ("GET", "/x/{id}/run", "", EXECUTE),
        ("GET", "/orgs/{org}/updates", "orgs/list-updates", READ),
        ("GET", "/statefulsets/{name}", "watchAppsV1NamespacedStatefulSet", READ),
        ("POST", "/jobs", "runJob", EXECUTE),
        ("POST", "/jobs", "jobs/run", EXECUTE),
        ("POST", "/calls", "CreateCall", WRITE),
        ("POST", "/users/{id}/delete", "PostUsersDelete", DELETE),
        ("POST", "/x/{name}:cancel", "", WRITE),
        ("POST", "/x/{name}:run", "", EXECUTE),
        ("POST", "/x/{name}:purge", "", DELETE),
        ("POST", "/x?delete", "multi", WRITE),
        ("POST", "/search", "search", WRITE),
        ("PUT", "/x", "enableDeleteProtection", WRITE),
        ("DELETE", "/x", "getX", DELETE),
        ("HEAD", "/x", "", READ),
        ("TRACE", "/x", "getX", Kind.UNKNOWN),
    ],
)
def test_words_raise_what_the_method_says(method: str, template: str, operation: str, kind: Kind) -> None:
    assert kind_of(method, template, operation) is kind


REVIEWED = Reviewed(
    verbs=frozenset({"search"}),
    reads=frozenset({"checkDelete"}),
    writes=frozenset({"getToken"}),
    executes=frozenset({"dispatch-event"}),
    deletes=frozenset({"evict"}),
)


@pytest.mark.parametrize(
    ("method", "template", "operation", "kind"),
    [
        ("POST", "/pets/search", "searchPets", READ),
        ("POST", "/pets/search", "pets/search", READ),
        ("PUT", "/pets/search", "searchPets", WRITE),
        ("POST", "/pets/search/delete", "searchPets", DELETE),
        ("POST", "/pets", "search-and-delete", DELETE),
        ("POST", "/research", "researchPets", WRITE),
        ("GET", "/check/delete", "checkDelete", READ),
        ("DELETE", "/check/delete", "checkDelete", DELETE),
        ("GET", "/token", "getToken", WRITE),
        ("POST", "/events", "dispatch-event", EXECUTE),
        ("POST", "/eviction", "evict", DELETE),
    ],
)
def test_what_was_reviewed_lowers_a_post_and_raises_anything(method: str, template: str, operation: str, kind: Kind) -> None:
    assert kind_of(method, template, operation, REVIEWED) is kind


@given(st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE"]), st.text(), st.text())
def test_without_a_review_nothing_is_milder_than_its_method(method: str, template: str, operation: str) -> None:
    assert KIND_ORDER.index(kind_of(method, template, operation)) >= KIND_ORDER.index(method_kind(method))
