import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Classified, Kind, Risk, stricter_kind
from firewall.classify import classify
from firewall.classify.generic import KINDS
from firewall.request import Headers, parse


def found(method: str, headers: Headers = ()) -> Classified:
    return classify(parse(method=method, scheme="https", host="a.test", port=443, target=b"/x", headers=headers))


@pytest.mark.parametrize(
    ("method", "kind", "risk"),
    [
        ("GET", "read", "medium"),
        ("HEAD", "read", "medium"),
        ("OPTIONS", "read", "medium"),
        ("POST", "write", "high"),
        ("PUT", "write", "high"),
        ("PATCH", "write", "high"),
        ("DELETE", "delete", "high"),
        ("TRACE", "unknown", "critical"),
        ("CONNECT", "unknown", "critical"),
        ("PROPFIND", "unknown", "critical"),
        ("MERGE", "unknown", "critical"),
    ],
)
def test_a_method_says_what_it_does(method: str, kind: str, risk: str) -> None:
    assert found(method) == Classified(service="http", operation=method, kind=Kind(kind), risk=Risk(risk))


@pytest.mark.parametrize("method", ["get", "Get", "GET ", "", "GЕT"])
def test_a_method_that_only_looks_like_one_is_unknown(method: str) -> None:
    assert found(method).kind is Kind.UNKNOWN


@pytest.mark.parametrize("field", [b"X-HTTP-Method-Override", b"x-http-method", b"X-METHOD-OVERRIDE", b"X_HTTP_Method-Override"])
@pytest.mark.parametrize(
    ("method", "override", "kind"),
    [
        ("GET", b"DELETE", Kind.DELETE),
        ("GET", b" delete ", Kind.DELETE),
        ("POST", b"DELETE", Kind.DELETE),
        ("POST", b"GET", Kind.WRITE),
        ("DELETE", b"GET", Kind.DELETE),
        ("POST", b"PATCH", Kind.WRITE),
        ("GET", b"MERGE", Kind.UNKNOWN),
        ("GET", b"\xff", Kind.UNKNOWN),
        ("GET", b"", Kind.UNKNOWN),
    ],
)
def test_a_method_override_makes_it_stricter_and_never_milder(field: bytes, method: str, override: bytes, kind: Kind) -> None:
    classified = found(method, ((field, override),))
    assert classified.kind is kind
    assert classified.operation == method


def test_of_several_overrides_the_strictest_counts() -> None:
    overrides = ((b"X-HTTP-Method", b"DELETE"), (b"X-HTTP-Method", b"GET"))
    assert found("GET", overrides).kind is Kind.DELETE
    assert found("GET", overrides).risk is Risk.HIGH


@given(st.one_of(st.sampled_from(sorted(KINDS)), st.text(max_size=8)))
def test_nothing_at_a_host_that_nobody_described_is_of_low_risk(method: str) -> None:
    classified = found(method)
    assert classified.risk is not Risk.LOW
    assert (classified.risk is Risk.MEDIUM) is (stricter_kind(classified.kind, Kind.READ) is Kind.READ)
