import pytest

from firewall.action import Classified, Kind
from firewall.classify import classify
from firewall.classify.meaning import Subject
from firewall.classify.slack import Slack
from firewall.request import Request, parse
from tests.catalogs.shipped import shipped

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")
JSON = (b"Content-Type", b"application/json")


def asked(method: str, target: bytes, *headers: tuple[bytes, bytes], body: bytes = b"", host: str = "slack.com") -> Request:
    return parse(method=method, scheme="https", host=host, port=443, target=target, headers=headers, body=body)


def classified(request: Request) -> Classified:
    return classify(request, shipped(("slack",)))


def test_a_message_sent_by_get_is_a_write() -> None:
    got = classified(asked("GET", b"/api/chat.postMessage?channel=C1&text=hi"))
    assert (got.service, got.operation, got.kind, got.resource) == ("slack", "chat.postMessage", Kind.WRITE, {"channel": "C1"})


@pytest.mark.parametrize(
    "name", ["admin.emoji.add", "dnd.setSnooze", "conversations.inviteShared", "files.remote.share", "rtm.connect"]
)
def test_what_the_sdk_sends_by_get_is_no_read_for_that(name: str) -> None:
    assert classified(asked("GET", f"/api/{name}".encode())).kind is Kind.WRITE


@pytest.mark.parametrize("name", ["auth.revoke", "users.deletePhoto", "admin.emoji.remove"])
def test_what_takes_away_is_a_deletion_by_get_too(name: str) -> None:
    assert classified(asked("GET", f"/api/{name}".encode())).kind is Kind.DELETE


def test_a_read_by_post_is_a_read() -> None:
    assert classified(asked("POST", b"/api/conversations.list", FORM)).kind is Kind.READ


@pytest.mark.parametrize(
    "target", [b"/api/chat.postmessage", b"/api/chat.postMessage/", b"/api/client.counts", b"/API/chat.postMessage"]
)
def test_a_method_that_nobody_described_may_do_anything(target: bytes) -> None:
    got = classified(asked("GET", target))
    assert (got.service, got.kind) == ("slack", Kind.UNKNOWN)


def test_another_path_of_slack_is_no_method() -> None:
    assert classified(asked("GET", b"/help")).service == "http"


@pytest.mark.parametrize(
    ("query", "headers", "body", "channel"),
    [
        (b"", (FORM,), b"channel=C1&text=x", "C1"),
        (b"", (JSON,), b'{"channel":"C1"}', "C1"),
        (b"?channel=C2", (FORM,), b"channel=C1", None),
        (b"", (FORM,), b"channel=C1&channel=C2", None),
        (b"", (JSON,), b'{"channel":["C1"]}', None),
        (b"", (JSON,), b'{"channel":"C1","channel":"C2"}', None),
    ],
)
def test_a_channel_is_what_is_named_once(
    query: bytes, headers: tuple[tuple[bytes, bytes], ...], body: bytes, channel: str | None
) -> None:
    got = classified(asked("POST", b"/api/chat.postMessage" + query, *headers, body=body))
    assert got.resource.get("channel") == channel


def test_a_method_that_needs_no_channel_has_none() -> None:
    assert classified(asked("POST", b"/api/users.profile.set?channel=C1")).resource == {}


def test_bodies_are_wanted_where_they_name_a_channel() -> None:
    known = shipped(("slack",))
    assert Slack().wants_body(Subject(asked("POST", b"/api/chat.postMessage", FORM), known))
    assert not Slack().wants_body(Subject(asked("POST", b"/api/files.upload", FORM), known))
    assert not Slack().wants_body(Subject(asked("POST", b"/api/chat.postMessage", FORM, host="x.example"), known))
