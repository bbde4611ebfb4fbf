import pytest

from firewall.classify.aws_signals import actions, header_names, opens_up, scopes, targets
from firewall.classify.known import NOBODY
from firewall.classify.meaning import Subject
from firewall.request import parse


def subject(query: str = "", *headers: tuple[str, str], body: bytes = b"") -> Subject:
    fields = [(name.encode(), value.encode()) for name, value in headers]
    target = f"/?{query}".encode()
    return Subject(
        parse(method="POST", scheme="https", host="h.example", port=443, target=target, headers=fields, body=body), NOBODY
    )


def test_a_scope_stands_before_the_word_that_ends_a_credential() -> None:
    header = ("Authorization", "aws4-hmac-sha256 Credential=A/20260101/us-east-1/S3/aws4_request, SignedHeaders=host, Signature=0")
    assert scopes(subject("", header)) == {"s3"}
    assert scopes(subject("X-Amz-Credential=A%2F1%2Fr%2Fs3%2Faws4_request", header)) == {"s3"}
    assert scopes(subject("x-amz-credential=A/1/r/sts/aws4_request", header)) == {"s3", "sts"}
    assert scopes(subject("", ("Authorization", "Bearer x"))) == frozenset()


@pytest.mark.parametrize("credential", ["", "A/s3/aws4_request", "A/1/r/s3/other", "A/1/r/s 3/aws4_request"])
def test_a_credential_of_another_form_names_a_service_that_is_none(credential: str) -> None:
    assert scopes(subject("", ("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}"))) == {""}


def test_every_target_and_action_is_seen_once() -> None:
    assert targets(subject("X-Amz-Target=b", ("x-amz-target", "a"), ("X-AMZ-TARGET", "a"))) == ("a", "b")
    form = ("content-type", "application/x-www-form-urlencoded")
    assert actions(subject("Action=A&action=B", form, body=b"Action=A&Action=C")) == ("A", "B", "C")
    assert actions(subject("", ("content-type", "text/plain"), body=b"Action=A")) == ("A",)
    assert actions(subject("", ("content-type", "application/json"), body=b'{"Action":"A"}')) == ()


def test_a_presigned_request_carries_header_fields_in_its_query() -> None:
    assert header_names(subject("X-Amz-Copy-Source=k&acl", ("Host", "h"))) == {b"host", b"x-amz-copy-source"}


@pytest.mark.parametrize(
    ("query", "headers", "opens"),
    [
        ("", [("X-Amz-Acl", "public-read")], True),
        ("", [("x-amz-acl", " Private ")], False),
        ("", [("x-amz-acl", "bucket-owner-full-control")], False),
        ("x-amz-acl=public-read-write", [], True),
        ("", [("x-amz-grant-read", 'uri="http://acs.amazonaws.com/groups/global/AllUsers"')], True),
        ("acl", [], False),
    ],
)
def test_an_acl_beside_what_is_written_may_open_it(query: str, headers: list[tuple[str, str]], opens: bool) -> None:
    assert bool(opens_up(subject(query, *headers))) is opens
