import pytest

from firewall.action import Classified, Kind, Risk
from firewall.classify import classify
from firewall.request import parse
from tests.catalogs.shipped import shipped

BOT = "/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw_"


def asked(method: str, target: str, host: str = "api.telegram.org") -> Classified:
    request = parse(method=method, scheme="https", host=host, port=443, target=target.encode(), headers=(), body=b"")
    return classify(request, shipped(("telegram",)))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_message_is_a_write_by_whatever_method_and_the_token_is_not_shown(method: str) -> None:
    got = asked(method, BOT + "/sendMessage?chat_id=1&text=hi")
    assert (got.service, got.operation, got.kind, got.resource) == ("telegram", "sendMessage", Kind.WRITE, {"bot": "123456789"})


@pytest.mark.parametrize("path", ["/sendmessage", "/SENDMESSAGE", "/sendMessage/", "/test/sendMessage", "/newerThanTheCatalog"])
def test_what_the_catalog_does_not_have_may_do_anything(path: str) -> None:
    got = asked("GET", BOT + path)
    assert (got.service, got.kind, got.risk) == ("http", Kind.UNKNOWN, Risk.CRITICAL)
    assert asked("GET", BOT.replace("bot", "BOT") + path).kind is Kind.UNKNOWN


def test_files_and_other_hosts_are_another_matter() -> None:
    assert asked("GET", "/file" + BOT + "/photos/a.jpg").kind is Kind.READ
    assert asked("GET", BOT + "/sendmessage", "a.test").kind is Kind.READ
