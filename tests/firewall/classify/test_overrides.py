from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify import classify, unknown, wants_body
from firewall.classify.known import NOBODY
from firewall.classify.meaning import QUERY_FIELDS, Subject
from firewall.classify.overrides import FORM, LENGTH, LIMIT, UNREADABLE, overrides, refuse_overrides
from firewall.errors import Malformed
from firewall.request import Header, Request, parse

MULTIPART = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="_method"\r\n\r\nDELETE\r\n--b--\r\n'


def request(*headers: Header, method: str = "POST", target: bytes = b"/", body: bytes | None = None) -> Request:
    return parse(method=method, scheme="https", host="a.test", port=443, target=target, headers=headers, body=body)


def said(of: Request) -> tuple[str, ...]:
    return overrides(Subject(of, NOBODY))


@pytest.mark.parametrize(
    "name",
    [
        b"X-HTTP-Method-Override",
        b"x-http-method",
        b"X-METHOD-OVERRIDE",
        b"X_HTTP_Method_Override",
        b"x-http_method",
        b"X.Http.Method",
    ],
)
def test_a_header_field_in_every_spelling_that_servers_take(name: bytes) -> None:
    assert said(request((name, b" delete "))) == ("DELETE",)


@pytest.mark.parametrize("query", [b"_method=delete", b"a=1&%5Fmethod=DELETE", b"_METHOD=Delete", b"-method=x&_httpmethod=DELETE"])
def test_a_field_of_the_query(query: bytes) -> None:
    assert "DELETE" in said(request(target=b"/?" + query))


@pytest.mark.parametrize("name", [b".method", b"%20_method", b"%5Bmethod", b"_method%00x", b"a=1;_method", b"%24httpMethod"])
def test_a_field_as_php_and_old_servers_read_its_name_and_as_google_calls_it(name: bytes) -> None:
    assert "DELETE" in said(request(target=b"/?" + name + b"=DELETE"))
    assert overrides(Subject(request((b"Content-Type", FORM.encode()), body=name + b"=DELETE"), NOBODY)) in (
        ("DELETE",),
        (UNREADABLE,),
    )


def test_the_graph_api_has_one_of_its_own_and_googles_may_stand_in_a_header_field_of_the_query() -> None:
    graph = parse(method="GET", scheme="https", host="graph.facebook.com", port=443, target=b"/1?method=delete", headers=())
    assert said(graph) == ("DELETE",)
    assert said(request(target=b"/?$httpHeaders=X-HTTP-Method-Override%3ADELETE")) == (UNREADABLE,)
    assert said(request(target=b"/?$httpHeaders=X-Origin%3Aa")) == ()


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (b"", b"_method=DELETE"),
        (b"", b"a=1&%5fmethod=DELETE&b=2"),
        (b"multipart/related; boundary=b", PART),
        (b"multipart/mixed; boundary=b", PART),
    ],
)
def test_a_body_that_rack_takes_for_a_form(media_type: bytes, body: bytes) -> None:
    headers = ((b"Content-Type", media_type),) if media_type else ()
    assert said(request(*headers, body=body)) == ("DELETE",)
    assert wants_body(request(*headers)) is bool(media_type)


def test_other_bodies_without_a_type_say_nothing() -> None:
    assert said(request(body=b"my_method=DELETE")) == ()
    assert said(replace(request(body=bytes(range(256)) * 2000), truncated=True)) == ()


@pytest.mark.parametrize(("media_type", "body"), [(FORM, b"a=1&_method=DELETE"), (FORM, b"%5fmethod=delete"), (MULTIPART, PART),
                                                  ("application/json", b'{"_method": "delete"}')])  # fmt: skip
def test_a_field_of_a_form_or_of_json(media_type: str, body: bytes) -> None:
    assert said(request((b"Content-Type", media_type.encode()), body=body)) == ("DELETE",)


def test_every_value_counts_wherever_it_stands_and_each_once() -> None:
    of = request((b"X-HTTP-Method", b"PUT, DELETE"), (b"X-HTTP-Method", b"PATCH"), target=b"/?_method=put&_method=PURGE")
    assert said(of) == ("PUT", "DELETE", "PATCH", "PURGE")


@pytest.mark.parametrize("target", [b"/", b"/?method=DELETE", b"/_method=DELETE", b"/?a=_method", b"/?methods=GET", b"/?a=%20"])
def test_what_no_server_takes_for_one_is_none(target: bytes) -> None:
    assert said(request((b"X-HTTP-Methods", b"DELETE"), target=target)) == ()


def test_the_requests_own_method_and_nothing_are_no_others() -> None:
    assert said(request((b"X-HTTP-Method-Override", b"post"), target=b"/?_method=")) == ()


def test_where_nobody_could_look_there_may_be_any() -> None:
    crowded = b"&".join(b"a=1" for _ in range(QUERY_FIELDS)) + b"&_method=DELETE"
    assert said(request(target=b"/?" + crowded)) == (UNREADABLE,)
    assert said(request((b"X-HTTP-Method", b""))) == (UNREADABLE,)
    broken = request((b"Content-Type", MULTIPART.encode()), body=b"no boundary")
    assert said(broken) == (UNREADABLE,)


def test_of_a_form_that_was_read_in_part_the_rest_may_hold_one_and_an_upload_is_judged_by_its_beginning() -> None:
    form = replace(request((b"Content-Type", FORM.encode()), body=b"a=1"), truncated=True)
    assert said(form) == (UNREADABLE,)
    upload = replace(request((b"Content-Type", MULTIPART.encode()), body=PART[:-9]), truncated=True)
    assert UNREADABLE not in said(upload)


def test_they_raise_the_kind_and_never_lower_it() -> None:
    raised = classify(request((b"X-HTTP-Method-Override", b"DELETE"), method="GET"))
    assert (raised.kind, raised.overrides) == (Kind.DELETE, ("DELETE",))
    assert classify(request((b"X-HTTP-Method-Override", b"GET"), method="DELETE")).kind is Kind.DELETE
    assert classify(request((b"X-HTTP-Method-Override", b"?"), method="GET")).kind is Kind.UNKNOWN


def test_a_request_that_nobody_could_classify_has_them_too() -> None:
    assert unknown(request((b"X-HTTP-Method-Override", b"DELETE"))).overrides == ("DELETE",)


def test_more_than_are_judged_one_by_one_are_refused() -> None:
    few = classify(request((b"X-HTTP-Method", b",".join(b"M%d" % n for n in range(LIMIT)))))
    refuse_overrides(few)
    many = classify(request((b"X-HTTP-Method", b",".join(b"M%d" % n for n in range(LIMIT + 1)))))
    with pytest.raises(Malformed, match="more than 8 other methods"):
        refuse_overrides(many)


@given(
    st.lists(st.tuples(st.sampled_from([b"X-HTTP-Method", b"Content-Type", b"A"]), st.binary(max_size=40)), max_size=5),
    st.binary(max_size=200),
)
def test_it_never_raises_and_names_no_own_method(headers: list[Header], body: bytes) -> None:
    found = said(request(*headers, body=body))
    assert "POST" not in found
    assert all(0 < len(method) <= LENGTH for method in found)
    assert len(set(found)) == len(found)
