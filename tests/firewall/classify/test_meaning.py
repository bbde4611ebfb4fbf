import pytest

from firewall.classify.known import NOBODY
from firewall.classify.meaning import QUERY_FIELDS, Subject
from firewall.request import Headers, parse


def subject(target: bytes = b"/", headers: Headers = ()) -> Subject:
    return Subject(parse(method="GET", scheme="https", host="a.test", port=443, target=target, headers=headers), NOBODY)


def test_a_field_is_found_in_any_case_and_several_are_one() -> None:
    seen = subject(headers=((b"X-Amz-Target", b"a"), (b"x-amz-target", b"b")))
    assert (seen.field(b"x-amz-target"), seen.field(b"x-other")) == ("a, b", None)


def test_a_query_keeps_its_order_its_duplicates_and_its_blanks() -> None:
    assert subject(b"/?a=1&b&a=%2F+").query == (("a", "1"), ("b", ""), ("a", "/ "))


def test_a_query_of_too_many_fields_is_not_read() -> None:
    with pytest.raises(ValueError, match="fields exceeded"):
        _ = subject(b"/?" + b"a&" * QUERY_FIELDS + b"a").query


def test_a_media_type_has_no_parameters_and_one_case() -> None:
    assert subject(headers=((b"Content-Type", b" Application/JSON ; charset=x"),)).media_type == "application/json"
