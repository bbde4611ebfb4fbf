import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import KIND_ORDER, Classified, Kind, Risk
from firewall.classify import classify
from firewall.classify.aws import Aws
from firewall.classify.generic import Generic
from firewall.classify.known import Known
from firewall.classify.meaning import Subject
from firewall.request import Request, parse
from tests.catalogs.shipped import shipped

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "aws.json").read_text())


def known(*services: str, **speakers: tuple[str, ...]) -> Known:
    return replace(shipped(services), speakers=speakers)


def signed(scope: str) -> tuple[bytes, bytes]:
    credential = f"AKIDEXAMPLE/20260101/us-east-1/{scope}/aws4_request"
    return b"Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=00".encode()


def request(vector: dict[str, Any]) -> Request:
    url = urlsplit(vector["url"])
    headers = [(name.encode(), value.encode()) for name, value in vector.get("headers", {}).items()]
    if "scope" in vector:
        headers.append(signed(vector["scope"]))
    return parse(
        method=vector["method"],
        scheme="https",
        host=url.hostname or "",
        port=443,
        target=f"{url.path}?{url.query}".encode() if url.query else url.path.encode(),
        headers=headers,
        body=vector["body"].encode() if "body" in vector else b"",
    )


def classified(vector: dict[str, Any], knowledge: Known | None = None) -> Classified:
    return classify(request(vector), knowledge or known("aws"), (Aws(), Generic()))


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_what_a_request_to_aws_is(vector: dict[str, Any]) -> None:
    got = classified(vector)
    if vector["is"] is None:
        assert got.service == "http"
        return
    assert (got.service, got.operation, got.kind) == ("aws", vector["is"], Kind(vector["kind"]))
    if "resource" in vector:
        assert got.resource == vector["resource"]
    if "iam" in vector:
        assert got.iam_action == vector["iam"]


LOCAL = {
    "method": "POST",
    "url": "https://localstack.internal/",
    "headers": {"x-amz-target": "DynamoDB_20120810.GetItem", "content-type": "application/x-amz-json-1.0"},
    "scope": "dynamodb",
    "body": "{}",
}


def test_a_signature_at_another_host_names_nothing_unless_the_operator_says_so() -> None:
    assert classified(LOCAL).service == "http"
    assert classified(LOCAL, known("aws", aws=("localstack.internal",))).operation == "dynamodb:GetItem"


def test_at_an_operators_host_a_bucket_stands_in_the_path_or_before_s3() -> None:
    minio = known("aws", aws=("minio.internal", "*.s3.minio.internal"))
    by_path = classified({"method": "GET", "url": "https://minio.internal/b/k", "scope": "s3"}, minio)
    by_host = classified({"method": "GET", "url": "https://b.s3.minio.internal/k", "scope": "s3"}, minio)
    assert by_path.resource == by_host.resource == {"bucket": "b", "key": "k"}


def test_an_operators_host_without_a_signature_is_no_service() -> None:
    unsigned = {key: value for key, value in LOCAL.items() if key != "scope"}
    assert classified(unsigned, known("aws", aws=("localstack.internal",))).service == "http"


def test_an_encoded_slash_may_stand_in_a_key_not_in_a_bucket() -> None:
    assert classified({"method": "GET", "url": "https://s3.amazonaws.com/b/a%2Fb", "scope": "s3"}).slashes
    got = classified({"method": "GET", "url": "https://s3.amazonaws.com/b%2Fc/a", "scope": "s3"})
    assert (got.service, got.slashes) == ("http", False)


def test_an_object_that_is_opened_as_it_is_written_risks_what_changing_its_acl_risks() -> None:
    put = {"method": "PUT", "url": "https://b.s3.amazonaws.com/k", "scope": "s3", "headers": {"x-amz-acl": "public-read"}}
    assert (classified(put).operation, classified(put).risk) == ("s3:PutObject", Risk.CRITICAL)
    assert classified(put).details == {"opens": "x-amz-acl: public-read"}
    assert classified(put | {"headers": {"x-amz-acl": "private"}}).risk is Risk.MEDIUM
    assert classified(put | {"method": "GET"}).risk is Risk.LOW


def test_a_form_that_was_not_read_to_its_end_is_unknown() -> None:
    whole = request(
        {
            "method": "POST",
            "url": "https://ec2.us-east-1.amazonaws.com/",
            "headers": {"content-type": "application/x-www-form-urlencoded"},
            "body": "Action=DescribeInstances",
        }
    )
    got = classify(replace(whole, truncated=True), known("aws"), (Aws(), Generic()))
    assert got.kind is Kind.UNKNOWN


@pytest.mark.parametrize(
    ("vector", "wanted"),
    [
        ({"method": "POST", "url": "https://ec2.us-east-1.amazonaws.com/"}, True),
        ({"method": "POST", "url": "https://dynamodb.us-east-1.amazonaws.com/", "headers": LOCAL["headers"]}, True),
        ({"method": "PUT", "url": "https://b.s3.amazonaws.com/k"}, False),
        ({"method": "POST", "url": "https://b.s3.amazonaws.com/k?uploads"}, False),
        ({"method": "POST", "url": "https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/invocations"}, False),
        ({"method": "POST", "url": "https://api.example.com/", "headers": LOCAL["headers"]}, False),
    ],
)
def test_bodies_are_wanted_where_they_name_the_operation_or_what_it_is_done_to(vector: dict[str, Any], wanted: bool) -> None:
    assert Aws().wants_body(Subject(request(vector), known("aws"))) is wanted


HOSTS = st.sampled_from(
    ["b.s3.amazonaws.com", "s3.us-east-1.amazonaws.com", "ec2.us-east-1.amazonaws.com", "monitoring.us-east-1.amazonaws.com", "x.y"]
)


@given(
    host=HOSTS,
    method=st.sampled_from(["GET", "PUT", "POST", "DELETE", "HEAD"]),
    path=st.lists(st.sampled_from(["b", "k", "service", "operation", "v20180820", "2015-03-31", "functions"]), max_size=5),
    query=st.lists(
        st.sampled_from(["acl", "tagging", "uploadId=1", "Action=ListMetrics", "Action=DeleteAlarms", "x=%00"]), max_size=4
    ),
    headers=st.lists(
        st.sampled_from([signed("s3"), signed("ec2"), (b"X-Amz-Target", b"a.b"), (b"x-amz-copy-source", b"k")]), max_size=3
    ),
    body=st.sampled_from([b"", b"Action=DeleteAlarms", b"{}", b"\xff\xfe", b"a=b;c=d&&&"]),
)
def test_any_request_is_classified_the_same_way_twice_and_a_repeated_signal_is_never_milder(
    host: str, method: str, path: list[str], query: list[str], headers: list[tuple[bytes, bytes]], body: bytes
) -> None:
    def of(query: list[str]) -> Classified:
        target = "/" + "/".join(path) + ("?" + "&".join(query) if query else "")
        parsed = parse(method=method, scheme="https", host=host, port=443, target=target.encode(), headers=headers, body=body)
        return classify(parsed, known("aws"), (Aws(), Generic()))

    once = of(query)
    assert once == of(query)
    assert KIND_ORDER.index(of([*query, *query]).kind) >= KIND_ORDER.index(once.kind)


def test_the_facts_know_the_places_that_the_classifier_asks_for() -> None:
    assert all(
        known("aws").shipped.knows(f"{place}.aws.invalid") for place in ("s3", "s3-control", "dynamodb.target", "ec2.action")
    )


NAMED = [vector for vector in VECTORS if vector["is"] is not None and "X-Amz-Target" not in vector.get("headers", {})]


def escaped(text: str, numbers: set[int]) -> str:
    """The same to every server: unreserved characters as escapes (RFC 3986, section 6.2.2.2)."""
    return "".join(f"%{ord(c):02X}" if i in numbers and c.isalnum() and "%" not in text else c for i, c in enumerate(text))


@given(
    vector=st.sampled_from(NAMED),
    numbers=st.sets(st.integers(0, 60), max_size=6),
    upper=st.booleans(),
    turn=st.booleans(),
)
def test_what_aws_reads_the_same_is_the_same_action(vector: dict[str, Any], numbers: set[int], upper: bool, turn: bool) -> None:
    url = urlsplit(vector["url"])
    fields = [field.partition("=") for field in url.query.split("&")] if url.query else []
    query = "&".join(
        escaped(name, numbers) + mark + escaped(value, numbers) for name, mark, value in (fields[::-1] if turn else fields)
    )
    path = "/".join(escaped(segment, numbers) for segment in url.path.split("/"))
    headers = {name.upper() if upper else name: value for name, value in vector.get("headers", {}).items()}
    mutated = {**vector, "url": url._replace(path=path, query=query).geturl(), "headers": headers}
    once, again = classified(vector), classified(mutated)
    assert (again.operation, again.kind, again.risk, again.resource) == (once.operation, once.kind, once.risk, once.resource)
