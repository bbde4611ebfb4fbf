import pytest
from pydantic import ValidationError

from control_api.models import AskedRequest, NewCatalog
from control_api.models.catalogs import DOCUMENT_BYTES
from control_api.routes.catalogs import BODY_BYTES


def test_hosts_are_written_as_requests_carry_them() -> None:
    made = NewCatalog(service="shop", document="x", hosts=["API.Bücher.example", "*.Shop.test"])
    assert made.hosts == ["api.xn--bcher-kva.example", "*.shop.test"]


@pytest.mark.parametrize("host", ["**", "*", "a.*", "", "a..b", "a.test/x", "x" * 300])
def test_hosts_that_name_nobody_are_refused(host: str) -> None:
    with pytest.raises(ValidationError):
        NewCatalog(service="shop", document="x", hosts=[host])


def test_a_document_of_the_longest_fits_into_a_body_with_its_line_ends_escaped() -> None:
    assert DOCUMENT_BYTES * 1.4 < BODY_BYTES


def test_header_fields_may_have_several_values() -> None:
    asked = AskedRequest(method="GET", url="https://a.test", headers={"Accept": ["a", "b"], "X": "c"})
    assert asked.headers == {"Accept": ["a", "b"], "X": "c"}
    with pytest.raises(ValidationError):
        AskedRequest(method="GET", url="https://a.test", headers={f"h{n}": "" for n in range(201)})
