import pytest

from firewall.action import Classified, Kind, Risk
from firewall.classify import classify
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.operation import Catalog, meaning_of
from firewall.classify.generic import Generic
from firewall.classify.known import Known
from firewall.request import parse
from tests.firewall.classify.catalog.made import facts, index

SHIPPED = index(
    facts(
        "at api.forge.test /",
        "op GET /repos/{owner} read repos/get",
        "op POST /search read search",
        "op POST /repos/{owner}:wipe delete repos/wipe",
        "op GET /chat.post write chat.post",
        "op PUT /files/{+path} write files/put",
        "self /api/v3",
    )
)
USERS = index(
    facts(
        "at api.forge.test,intern.test /",
        "op GET /repos/{name} read our/repo",
        "op POST /search write our/search",
        "op POST /repos/{name}:wipe read our/wipe",
        "op POST /our/own read our/own",
        service="ours",
    )
)
NAMERS = (Catalog(), Generic())


def meant(
    method: str, target: str, host: str = "api.forge.test", *, users: BinaryIndex | None = None, **speakers: tuple[str, ...]
) -> Classified:
    known = Known(shipped=SHIPPED, speakers=speakers) if users is None else Known(shipped=SHIPPED, users=users, speakers=speakers)
    request = parse(method=method, scheme="https", host=host, port=443, target=target.encode(), headers=())
    return classify(request, known, NAMERS)


def test_a_request_has_the_vendors_name_and_the_parameters_are_its_resource() -> None:
    found = meant("GET", "/repos/octo")
    assert (found.service, found.operation, found.kind, dict(found.resource)) == (
        "forge",
        "repos/get",
        Kind.READ,
        {"owner": "octo"},
    )
    assert (found.catalog or "").startswith("forge@")


def test_a_shipped_catalog_lowers_the_kind_below_the_method_and_raises_it() -> None:
    assert meant("POST", "/search").kind is Kind.READ
    assert meant("POST", "/repos/octo:wipe").kind is Kind.DELETE
    assert meant("GET", "/chat.post").kind is Kind.WRITE


def test_a_users_catalog_alone_never_lowers_the_kind() -> None:
    found = meant("POST", "/our/own", "intern.test", users=USERS)
    assert (found.service, found.operation, found.kind) == ("ours", "our/own", Kind.WRITE)


def test_a_users_catalog_names_first_and_the_strictest_kind_of_both_counts() -> None:
    assert meant("GET", "/repos/octo", users=USERS).operation == "our/repo"
    assert meant("POST", "/search", users=USERS).kind is Kind.WRITE
    assert meant("POST", "/repos/octo:wipe", users=USERS).kind is Kind.DELETE


def test_renamed_the_parameters_of_both_are_the_resource() -> None:
    assert dict(meant("GET", "/repos/octo", users=USERS).resource) == {"owner": "octo", "name": "octo"}


def test_what_only_a_user_describes_at_a_host_of_ours_is_not_less_risky_for_it() -> None:
    assert meant("POST", "/our/own", users=USERS).risk is Risk.HIGH
    assert meant("POST", "/our/own", "intern.test", users=USERS).risk is Risk.MEDIUM


def test_a_request_that_is_no_operation_stays_generic() -> None:
    for method, target in [("GET", "/repos"), ("PUT", "/repos/octo"), ("GET", "/Repos/octo"), ("GET", "/repos/octo/")]:
        assert (meant(method, target).service, meant(method, target).operation) == ("http", method)
    assert meant("GET", "/repos/octo", "api.forge.test.evil.test").service == "http"


def test_head_does_what_get_does() -> None:
    assert (meant("HEAD", "/repos/octo").operation, meant("HEAD", "/repos/octo").kind) == ("repos/get", Kind.READ)
    assert meant("HEAD", "/chat.post").kind is Kind.WRITE


def test_options_stays_generic() -> None:
    assert meant("OPTIONS", "/repos/octo").service == "http"


def test_at_a_host_that_the_operator_names_the_operations_stand_below_the_self_path() -> None:
    at = "git.corp.test"
    assert meant("GET", "/api/v3/repos/octo", at).service == "http"
    assert meant("GET", "/api/v3/repos/octo", at, forge=(at,)).operation == "repos/get"
    assert meant("POST", "/api/v3/search", at, forge=("*.corp.test",)).kind is Kind.READ
    assert meant("GET", "/repos/octo", at, forge=(at,)).service == "http"
    assert meant("GET", "/api/v3/repos/octo", at, github=(at,)).service == "http"


def test_a_place_that_is_no_host_cannot_be_asked_for() -> None:
    assert meant("POST", "/api/v3/search", "forge.self.invalid").service == "http"


def test_an_encoded_slash_may_stand_only_where_the_catalog_says_so() -> None:
    assert meant("PUT", "/files/a%2Fb/c").slashes
    assert not meant("GET", "/repos/a%2Fb").slashes


def test_what_is_made_to_be_slow_is_unknown() -> None:
    slow = index(facts("at api.forge.test /", "op GET /{+a}/x/{+b}/y/{+c}/z read slow"))
    request = parse(
        method="GET", scheme="https", host="api.forge.test", port=443, target=b"/x/y" * 800, headers=(),
    )  # fmt: skip
    found = classify(request, Known(shipped=slow), NAMERS)
    assert (found.kind, found.risk) == (Kind.UNKNOWN, Risk.CRITICAL)


def test_a_vendor_may_take_a_request_for_another_one() -> None:
    found = meaning_of(Known(shipped=SHIPPED), "api.forge.test", "GET", ("repos", "octo"), "", frozenset())
    assert found is not None
    assert (found.operation, found.lowers, found.sure) == ("repos/get", True, True)


def test_it_needs_no_body() -> None:
    assert not Catalog().wants_body(None)  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["api.forge.test", "intern.test"])
def test_parameters_that_are_dots_or_nothing_fit_nothing(host: str) -> None:
    for value in ("", ".", ".."):
        assert meaning_of(Known(users=USERS), host, "GET", ("repos", value), "", frozenset()) is None
