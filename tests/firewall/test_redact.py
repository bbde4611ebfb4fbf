import json
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.digest import CREDENTIALS
from firewall.redact import EXCERPT, MASK, masked, masked_query, may_hold_secrets, summary
from firewall.request import Header, parse

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
SECRET = "hunter2hunter2"


def told(
    body: bytes | str = b"", content_type: str = JSON, *, target: str = "/a", headers: tuple[Header, ...] = (), limit: int = EXCERPT
) -> dict[str, Any]:
    request = parse(
        method="POST",
        scheme="https",
        host="api.test",
        port=443,
        target=target.encode(),
        headers=((b"Content-Type", content_type.encode()), *headers),
        body=body.encode() if isinstance(body, str) else body,
    )
    return summary(request, body_limit=limit)


def excerpt(body: bytes | str, content_type: str = JSON, *, limit: int = EXCERPT) -> str | None:
    found = told(body, content_type, limit=limit)["body"]
    assert found is None or isinstance(found, str)
    return found


# --- what is shown ------------------------------------------------------------------------------------------------------


def test_an_approver_reads_what_is_asked_for() -> None:
    shown = told('{"title": "hello", "amount": 5}', target="/repos/o/r?page=2", headers=((b"X-Note", b"fine"),))
    assert shown == {
        "method": "POST",
        "host": "api.test",
        "path": "/repos/o/r",
        "query": "page=2",
        "headers": {"content-type": JSON, "x-note": "fine"},
        "content_type": JSON,
        "body": '{"title": "hello", "amount": 5}',
        "body_bytes": 31,
    }


@pytest.mark.parametrize(
    "name", ["author", "authority", "pinned", "design", "passenger", "keyboard", "monkey", "assign", "decode", "title"]
)
def test_an_ordinary_name_hides_nothing(name: str) -> None:
    assert excerpt(json.dumps({name: "plain"})) == json.dumps({name: "plain"})
    assert masked_query(f"{name}=plain") == f"{name}=plain"
    assert excerpt(f"{name}: plain", "text/plain") == f"{name}: plain"


def test_a_name_that_comes_twice_is_shown_twice() -> None:
    assert excerpt('{"amount": 1, "amount": 1000}') == '{"amount": 1, "amount": 1000}'
    fields = ((b"X-Do", b"read"), (b"x-do", b"delete"))
    assert told(headers=fields)["headers"]["x-do"] == "read, delete"


def test_a_secret_that_is_hidden_takes_nothing_else_with_it() -> None:
    assert excerpt('{"token": {"a": [1, "}"]}, "amount": 5}') == f'{{"token":"{MASK}", "amount": 5}}'
    assert excerpt('[{"pin": 1234}, {"amount": 5}]') == f'[{{"pin":"{MASK}"}}, {{"amount": 5}}]'
    assert masked_query("token=a%20b&amount=5") == f"token={MASK}&amount=5"


def test_a_long_body_and_a_long_field_are_cut() -> None:
    assert excerpt("a" * 100, "text/plain", limit=10) == "a" * 10
    assert told("a" * 100, "text/plain", limit=10)["body_bytes"] == 100
    assert told(headers=((b"x-long", b"a" * 300),))["headers"]["x-long"] == "a" * 256


def test_a_body_cut_inside_a_character_is_still_text() -> None:
    assert excerpt("a" + "é" * 30, "text/plain", limit=7) == "a" + "é" * 6


@pytest.mark.parametrize("body", [b"\x89PNG\xff", b"a\x00b", b"ok \xff" + b"a" * 9000, b"\xc3"])
def test_a_body_that_is_no_text_has_no_excerpt(body: bytes) -> None:
    assert excerpt(body, "application/octet-stream") is None


# --- what is not --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted({*CREDENTIALS, b"x-client-secret", b"x-refresh-token", b"x-amz-signature", b"x-db-password"})
)
def test_a_field_that_carries_a_credential_is_named_and_not_shown(name: bytes) -> None:
    headers = told(headers=((name.title(), SECRET.encode()),))["headers"]
    assert headers[name.decode()] == MASK


@pytest.mark.parametrize(
    "query",
    [
        "token={}",
        "a=1&access_token={}",
        "api_key={}&b=2",
        "key={}",
        "code={}",
        "sig={}",
        "X-Amz-Signature={}",
        "user[password]={}",
        "pass%77ord={}",
        "password={};more",
        "a=1;password={}",
        "a=1;password=x;{}",
        "x" * 100 + "token" + "x" * 100 + "={}",
        "PASSWORD={}",
        "payload=%7B%22password%22%3A%22{}%22%7D",
        "token=a={}",
    ],
)
def test_a_secret_in_a_query_or_a_form_is_masked(query: str) -> None:
    text = query.format(SECRET)
    assert MASK in masked_query(text)
    assert SECRET not in masked_query(text)
    assert SECRET not in json.dumps(told(target=f"/a?{text}"))
    for kind in (FORM, FORM.upper(), f"{FORM}; charset=utf-8"):
        assert SECRET not in str(excerpt(text, kind))
    assert SECRET not in told(headers=((b"Referer", f"https://up.test/?{text}".encode()),))["headers"]["referer"]


@pytest.mark.parametrize(
    "body",
    [
        '{"password": "§"}',
        '{"password":"§',
        '{"password" : \n "§"}',
        '{"pass\\u0077ord": "§"}',
        '{"a": {"clientSecret": "§"}}',
        '{"token": ["x", "§"]}',
        '{"credentials": {"user": {"value": "§"}, "x": "}§"}}',
        '{"password": "a\\"§"}',
        '{"password": "a\\\n§"}',
        '{"password": "a\\\\", "b": 1, "token": "§"}',
        '{"private_key": §}',
        '\ufeff{"password": "§"}',
        '{"a": 1}\n{"password": "§"}\n',
        '["x", {"authorization": "Bearer §"}]',
        '{password: "§"}',
        '{"' + "x" * 100 + 'password": "§"}',
        '{"password": "§\\',
    ],
)
@pytest.mark.parametrize("content_type", [JSON, "application/vnd.api+json", FORM, "text/plain", ""])
def test_a_secret_in_json_is_masked_whatever_the_type_says(body: str, content_type: str) -> None:
    shown = excerpt(body.replace("§", SECRET), content_type)
    assert MASK in str(shown)
    assert SECRET not in str(shown)


@pytest.mark.parametrize(
    "body",
    [
        "password: §",
        "user: x\ndb_password = §\nhost: y",
        "API_KEY=§",
        "- token: 'a §'",
        '<password type="x">§</password>',
        "<a>\n<ns:clientSecret>\n§\n</ns:clientSecret>\n</a>",
        '<login password="§"/>',
        "pwd: §",
        "password: a\u2028§",
        "Authorization: Bearer §",
    ],
)
def test_a_secret_in_other_text_is_masked(body: str) -> None:
    shown = excerpt(body.replace("§", SECRET), "text/plain")
    assert MASK in str(shown)
    assert SECRET not in str(shown)


def test_the_rest_of_other_text_is_shown() -> None:
    assert excerpt("user: ann\ntoken: x\nhost: y", "application/yaml") == f"user: ann\ntoken: {MASK}\nhost: y"


def multipart(*parts: tuple[str, str]) -> str:
    return (
        "".join(f'--b0b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in parts)
        + "--b0b--\r\n"
    )


@pytest.mark.parametrize("boundary", ["boundary=b0b", 'boundary="b0b"', "charset=utf-8; Boundary=b0b"])
@pytest.mark.parametrize("value", [SECRET, f"a\r\n\r\n{SECRET}", f"--\r\n--{SECRET}"])
def test_a_secret_in_a_part_of_a_form_is_masked_and_the_other_parts_are_shown(boundary: str, value: str) -> None:
    shown = str(excerpt(multipart(("title", "hello"), ("pass%77ord", value), ("amount", "5")), f"multipart/form-data; {boundary}"))
    assert SECRET not in shown
    assert "hello" in shown
    assert shown.endswith('name="amount"\r\n\r\n5\r\n--b0b--\r\n')


def test_json_in_a_part_is_masked_too() -> None:
    shown = excerpt(multipart(("payload", f'\r\n{{"password": "{SECRET}"}}')), "multipart/form-data; boundary=b0b")
    assert SECRET not in str(shown)


def test_parts_that_cannot_be_told_apart_are_not_shown() -> None:
    assert excerpt(multipart(("password", SECRET)), "multipart/form-data") == MASK


TOKENS = {
    "JSON Web Token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmN",
    "GitHub": "ghp_" + "a1" * 18,
    "Slack": "xoxb-" + "1234567890-abcdefghij",
    "Stripe": "sk_live_" + "4eC39HqLyjWDarjtT1",
    "OpenAI": "sk-" + "proj-abcdefghijklmnop1234",
    "Google": "AIza" + "SyA1234567890abcdefghij",
    "npm": "npm_" + "a1" * 18,
    "SendGrid": "SG." + "abcdefghij-1234567890" + "." + "abcdefghij_1234567890",
    "Slack's app": "xapp-" + "1-A0123456789-abcdefghij",
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS.keys())
def test_a_token_is_known_by_its_form_wherever_it_stands(token: str) -> None:
    shown = [
        told(json.dumps({"text": f"use {token} now"})),
        told(f"see {token}", "text/plain"),
        told(f"text={token}", FORM),
        told(target=f"/a/{token}/b?q={token}", headers=((b"X-Note", token.encode()),)),
        masked({"a": [token]}),
    ]
    assert token not in json.dumps(shown)


def test_a_private_key_is_masked_over_all_its_lines() -> None:
    pem = f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----\nafter"
    assert excerpt(pem, "text/plain") == f"{MASK}\nafter"
    assert SECRET not in str(excerpt(pem[:60], "text/plain"))


def test_a_bots_token_in_the_path_is_masked() -> None:
    assert told(target="/bot123456789:" + "AbCd-" * 7 + "/sendMessage")["path"] == f"/bot{MASK}/sendMessage"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/services/" + "T0123ABCD/B0123ABCD/" + "aB1" * 8, f"/services/{MASK}"),
        ("/api/webhooks/" + "123456789012345678/" + "aB1_-" * 13, f"/api/webhooks/{MASK}"),
        ("/services/tasks/boards/list", "/services/tasks/boards/list"),
    ],
)
def test_what_opens_a_webhook_is_masked_in_its_path(path: str, shown: str) -> None:
    assert told(target=path)["path"] == shown


def test_parameters_of_a_submitted_action_are_masked_at_any_depth() -> None:
    given_ = {"to": "ann", "auth": {"user": "x"}, "list": [{"api-key": 5, "n": 1}], "none": None, "flag": True}
    assert masked(given_) == {"to": "ann", "auth": MASK, "list": [{"api-key": MASK, "n": 1}], "none": None, "flag": True}


TYPES = st.sampled_from([JSON, FORM, "text/xml", "multipart/x; boundary=b", ""])

# --- secrets of any kind ------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["password", "client_secret", "apiKey", "X-Token", "db-credentials", "Authorization", "pin"])
SECRETS = st.text(st.characters(codec="utf-8"), max_size=20).map(lambda text: f"s3cr{text}3t")
PLAIN: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=6,
)


@given(name=NAMES, secret=SECRETS, plain=PLAIN, ascii_=st.booleans(), limit=st.integers(1, 200), wrap=st.integers(0, 3))
def test_no_secret_appears_in_the_excerpt_of_any_json(
    name: str, secret: str, plain: Any, ascii_: bool, limit: int, wrap: int
) -> None:
    value: Any = {"first": plain, name: secret, "last": 1}
    for _ in range(wrap):
        value = {"in": [value, plain]}
    for hidden in (value, {"x": plain, name: [value, {"deep": secret}]}):
        body = json.dumps(hidden, ensure_ascii=ascii_)
        assert "s3cr" not in str(excerpt(body, limit=limit))
        assert "s3cr" not in json.dumps(masked(hidden))


@given(name=NAMES, secret=SECRETS, others=st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), max_size=4))
def test_no_secret_appears_in_the_excerpt_of_any_form(name: str, secret: str, others: list[tuple[str, str]]) -> None:
    body = urlencode([*others, (name, secret), *others])
    assert "s3cr" not in str(excerpt(body, FORM))
    assert "s3cr" not in masked_query(body)


@given(st.lists(st.tuples(st.sampled_from(["q", "page", "äöü", "a b"]), st.text(max_size=6)), min_size=1, max_size=4))
def test_a_form_without_secrets_is_shown_as_it_is(pairs: list[tuple[str, str]]) -> None:
    body = urlencode(pairs, quote_via=quote)
    assert excerpt(body, FORM) == body
    assert parse_qsl(body, keep_blank_values=True) == pairs


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60),
    st.sampled_from([JSON, FORM, "text/xml", "multipart/x; boundary=b"]),
)
def test_any_text_has_an_excerpt(text: str, content_type: str) -> None:
    assert excerpt(text, content_type) is not None


@given(st.binary(max_size=60), TYPES)
def test_any_bytes_have_an_excerpt_or_none(body: bytes, content_type: str) -> None:
    shown = told(body, content_type)
    assert shown["body_bytes"] == len(body)
    assert shown["body"] is None or "\x00" not in shown["body"]


PIECES = st.sampled_from(
    [
        "password", "Pwd", "apiKey", "private-key", "AUTH", "otp", "ſecret", "to\u212aen", "sid", "Bearer abc", "ghp_" + "a" * 20,
        "bot1234567:", "eyJ" + "a" * 9 + ".b" * 9, "sk-" + "a" * 20, "rk_live_" + "a" * 20, "-----BEGIN PRIVATE KEY-----",
        "\\u0070in", '": "x", "', ":", "\n",
    ]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=5).map("".join))
def test_where_nothing_hints_at_a_secret_nothing_would_be_masked(text: str) -> None:
    for body in (text, json.dumps({text: "x"}), json.dumps({"a": text}, ensure_ascii=False), '{"' + text + '": 1}'):
        if not may_hold_secrets(body):
            for content_type in (JSON, "text/plain"):
                assert MASK not in (excerpt(body, content_type) or "") or MASK in body
