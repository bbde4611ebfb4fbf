import pytest

from benchmarks.rules import CLOSE, EVERYWHERE, HELD, LOAD, RULES, document
from firewall.document import Document
from firewall.policy import compile_policy, load, modules
from tests.reference.matcher import judge

SHARED = {"source": "proxy", "agent": "agent-1", "service": "http", "operation": "GET", "kind": "read", "risk": "medium"}


@pytest.fixture(scope="module")
def policy() -> Document:
    return load(document("localhost", (9443, 9080)))


def test_a_thousand_rules_pass_the_check(policy: Document) -> None:
    assert len(policy.rules) == RULES == 1000


@pytest.mark.parametrize(
    ("method", "path", "effect", "rule"),
    [
        ("GET", f"{LOAD}1/2", "allow", "load"),
        ("POST", f"{LOAD}1/2", "allow", "load"),
        ("POST", f"{HELD}crowd/2", "require_approval", "held"),
    ],
)
def test_the_load_is_allowed_and_what_is_to_be_held_is_held(
    policy: Document, method: str, path: str, effect: str, rule: str
) -> None:
    action = SHARED | {"host": "localhost", "method": method, "methods": [method], "canonical_path": path, "resource": {}}
    assert judge(policy, action) == (effect, (rule,))


def test_dozens_of_rules_stand_in_the_way_of_every_request(policy: Document) -> None:
    index = compile_policy(policy, modules()).data["index"]
    for method in ("GET", "POST"):
        tried = [
            rule for host in ("", "localhost") for key in (method, "*") for rule in index.get(host, {}).get(key, {}).get("", [])
        ]
        assert len(tried) >= EVERYWHERE + CLOSE // 2


def test_the_ports_of_the_destination_are_the_policys() -> None:
    destinations = load(document("localhost", (9443, 9080))).destinations
    assert destinations is not None
    assert destinations.ports == (9080, 9443)
