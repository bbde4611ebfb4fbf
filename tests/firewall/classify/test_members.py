import pytest

from firewall.action import Kind
from firewall.classify import classify
from firewall.classify.known import NOBODY, Known
from firewall.classify.meaning import Subject
from firewall.classify.members import only
from firewall.request import Request, parse

NAMED = Known(speakers={"mcp": ("a.test",), "graphql": ("b.test",)})
LIST = '{"jsonrpc":"2.0","id":1,"method":"tools/list"%s}'
QUERY = '{"query":"{ a }"%s}'


def request(host: str, path: str, body: str) -> Request:
    headers = ((b"Content-Type", b"application/json"),)
    return parse(method="POST", scheme="https", host=host, port=443, target=path.encode(), headers=headers, body=body.encode())


@pytest.mark.parametrize(("host", "body"), [("a.test", LIST), ("b.test", QUERY)])
def test_another_apis_request_is_no_read_for_what_stands_in_it_too(host: str, body: str) -> None:
    assert classify(request(host, "/v3", body % ""), NAMED).kind is Kind.READ
    assert classify(request(host, "/v3", f"[{body % ''}]"), NAMED).kind is Kind.READ
    assert classify(request(host, "/v3", body % ',"id_of_order":7'), NAMED).kind is Kind.WRITE
    assert classify(request(host, "/items/5/delete", body % ""), NAMED).kind is Kind.WRITE


def test_only_these_members() -> None:
    assert only(Subject(request("a.test", "/", '{"a":1}'), NOBODY), ("a", "b"))
    assert not only(Subject(request("a.test", "/", '[{"a":1},{"c":1}]'), NOBODY), ("a", "b"))
    assert not only(Subject(request("a.test", "/", "x"), NOBODY), ("a", "b"))
