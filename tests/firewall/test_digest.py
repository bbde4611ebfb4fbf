"""Digest v1: the implementation, the slow reference, the vectors and the specification say the same."""

import hashlib
import hmac
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.digest import (
    CREDENTIALS,
    DIGEST_KEY,
    SIGNATURES,
    VARYING,
    VARYING_PREFIX,
    digest,
    digest_api,
    is_credential,
)
from firewall.request import Request, end_to_end
from firewall.seal import Sealer
from tests.reference import digest as reference

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "digest.md").read_text()
FILE: dict[str, Any] = json.loads((ROOT / "tests" / "vectors" / "digest.json").read_text())
VECTORS: dict[str, dict[str, Any]] = {vector["name"]: vector for vector in FILE["vectors"]}
KEY = bytes(range(32))
AGENT = "agt_0193f0c2a4b07c3e8f1d2a3b4c5d6e7f"


def request(vector: dict[str, Any]) -> Request:
    return made(
        [(name.encode("latin-1"), value.encode("latin-1")) for name, value in vector["headers"]],
        **{part: vector[part] for part in ("method", "scheme", "host", "port")},
        target=vector["target"].encode("latin-1"),
    )


def made(headers: list[tuple[bytes, bytes]], **more: Any) -> Request:
    given: dict[str, Any] = {"method": "POST", "scheme": "https", "host": "a.test", "port": 443, "target": b"/a"} | more
    path, _, query = given["target"].decode("latin-1").partition("?")
    return Request(**given, path=path, query=query, segments=(), headers=tuple(headers))


def of(vector: dict[str, Any]) -> str:
    if "tool" in vector:
        named = {part: vector[part] for part in ("agent_id", "tool", "operation", "params")}
        return digest_api(**named, key=KEY)
    return digest(request(vector), agent_id=vector["agent_id"], body=reference.body_of(vector), key=bytes.fromhex(vector["key"]))


def block(kind: str) -> str:
    """A fenced block of the specification."""
    return DOCUMENT.split(f"```{kind}\n", 1)[1].split("\n```", 1)[0]


def in_hex(kind: str) -> bytes:
    return bytes.fromhex("".join(line.partition("#")[0] for line in block(kind).splitlines()))


# --- vectors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VECTORS)
def test_the_implementation_holds_to_the_vector(name: str) -> None:
    assert of(VECTORS[name]) == VECTORS[name]["digest"]


@pytest.mark.parametrize("name", VECTORS)
def test_the_reference_holds_to_the_vector(name: str) -> None:
    assert reference.of_vector(VECTORS[name]) == VECTORS[name]["digest"]


@pytest.mark.parametrize("pair", FILE["equal"], ids=" = ".join)
def test_the_same_request_has_the_same_digest(pair: list[str]) -> None:
    assert of(VECTORS[pair[0]]) == of(VECTORS[pair[1]])


@pytest.mark.parametrize("pair", FILE["differ"], ids=" ≠ ".join)
def test_another_request_has_another_digest(pair: list[str]) -> None:
    assert of(VECTORS[pair[0]]) != of(VECTORS[pair[1]])


def test_every_vector_says_what_it_shows_and_names_are_unique() -> None:
    assert all(vector["shows"] for vector in FILE["vectors"])
    assert len(VECTORS) == len(FILE["vectors"]) >= 20


# --- the specification ------------------------------------------------------------------------------------------------------


def test_the_example_of_the_specification_is_the_first_vector() -> None:
    head, _, body = block("http").partition("\n\n")
    line, *fields = head.splitlines()
    method, target, _ = line.split(" ")
    headers = [(name.encode(), value.encode()) for name, value in (field.split(": ", 1) for field in fields)]
    shown = made(headers, method=method, host="api.example.com", target=target.encode())
    assert digest(shown, agent_id=AGENT, body=body.encode(), key=KEY) == block("text digest") == VECTORS["example"]["digest"]


def test_the_hexadecimal_example_of_the_specification_hashes_to_its_digest() -> None:
    assert "sha256:" + hashlib.sha256(in_hex("hex digest")).hexdigest() == block("text digest")


def test_the_hexadecimal_credential_of_the_specification_has_its_keyed_hash() -> None:
    assert KEY.hex() in DOCUMENT
    keyed = hmac.new(KEY, in_hex("hex credential"), hashlib.sha256).digest()
    assert keyed == in_hex("hex credential-hash")
    assert keyed in in_hex("hex digest")


def test_the_lists_of_the_specification_are_those_of_the_code() -> None:
    varying = [name.decode() for name in VARYING] + [VARYING_PREFIX.decode() + "*"]
    assert reference.listed("VARYING") == sorted(varying)
    assert reference.listed("CREDENTIALS") == sorted(name.decode() for name in CREDENTIALS)
    assert reference.signatures() == {
        scheme: (list(naming), list(proof)) for scheme, (naming, proof) in SIGNATURES.items()
    }  # fmt: skip


def test_the_key_is_derived_as_the_specification_says() -> None:
    assert f"info `{DIGEST_KEY}`" in DOCUMENT
    master = bytes(range(32))
    extracted = hmac.new(bytes(32), master, hashlib.sha256).digest()
    expanded = hmac.new(extracted, DIGEST_KEY.encode() + b"\x01", hashlib.sha256).digest()
    assert Sealer(master).derive(DIGEST_KEY) == expanded


def test_a_name_is_on_one_list_and_in_lower_case() -> None:
    assert not VARYING & CREDENTIALS
    assert all(re.fullmatch(rb"[a-z0-9-]+", name) for name in VARYING | CREDENTIALS)
    assert not any(name.startswith(VARYING_PREFIX) for name in CREDENTIALS)
    for naming, proof in SIGNATURES.values():
        assert not {*naming} & {*proof}


def test_fields_that_change_the_meaning_are_on_no_list() -> None:
    meaningful = {
        b"x-http-method-override", b"x-http-method", b"x-method-override", b"x-amz-target", b"content-type", b"content-encoding",
        b"upgrade", b"range", b"content-range", b"if-match", b"destination", b"depth", b"x-amz-copy-source", b"x-amz-acl",
        b"x-goog-user-project", b"x-forwarded-host", b"x-original-url", b"x-rewrite-url", b"soapaction",
    }  # fmt: skip
    assert not meaningful & (VARYING | CREDENTIALS)


# --- the rest ---------------------------------------------------------------------------------------------------------------


def test_a_credential_is_known_in_any_case() -> None:
    assert is_credential(b"X-API-Key")
    assert not is_credential(b"X-API-Keys")


def test_a_handshake_of_a_websocket_is_another_request_than_the_plain_one() -> None:
    plain = [(b"Sec-WebSocket-Key", b"x"), (b"Connection", b"keep-alive")]
    handshake = [*plain[:1], (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    one, other = (
        digest(made(list(end_to_end(fields)), method="GET"), agent_id=AGENT, body=b"", key=KEY) for fields in (plain, handshake)
    )
    assert one != other


def test_a_fresh_nonce_in_a_body_is_another_request() -> None:
    one, other = (digest(made([]), agent_id=AGENT, body=b'{"nonce":%d}' % n, key=KEY) for n in (1, 2))
    assert one != other


@pytest.mark.parametrize("params", [{"a": 2**53}, {"a": float("nan")}, {"a": "\ud800"}, {"a": object()}])
def test_parameters_without_a_canonical_form_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        digest_api(agent_id=AGENT, tool="t", operation="o", params=params, key=KEY)


# --- implementation and reference, on anything ----------------------------------------------------------------------------


def pasted(*fragments: str) -> st.SearchStrategy[bytes]:
    """Texts made of fragments of real ones, whole and broken."""
    pieces = st.sampled_from(fragments) | st.text("aZ0 =\",;:/()'\t\\", max_size=2)
    return st.lists(pieces, max_size=14).map(lambda parts: "".join(parts).encode())


SIGNED = pasted(
    "AWS4-HMAC-SHA256 ", "Credential=", "K/20261124/r/s", "K/2026-11-24/r", ", ", ",", "SignedHeaders=host;date", "Signature=ab",
    "AWS4-HMAC-SHA256 Credential=K/20261124/r/s, SignedHeaders=a;b, Signature=", "SharedKey ", "SharedKeyLite a:", "a:c2ln",
    "OAuth ", "Hawk ", "Digest ", "Signature ", 'id="k"', 'ext="e"', 'mac="m"', 'keyId="k"', "keyid=k", 'signature="s"',
    'oauth_consumer_key="c"', 'oauth_token="t"', 'oauth_nonce="n"', 'realm="r"', 'oauth_callback="u"', "username=u",
    'uri="/a?b,c"', "nc=1", "Bearer x",
)  # fmt: skip
LABELS = pasted("sig1=:YQ==:", "b=:", "YQ==:", ", ", ",", "sig1", "*", 'keyId="k"', 'signature="s"')
INPUTS = pasted(
    "sig1=(", '"@method"', ' "a";sf', ';key="x"', ")", ";created=1", ';keyid="k"', ';nonce=";keyid="', ';tag="t"',
    ', b=();keyid="j"', 'sig1=("@method");keyid="k"', ';alg="a"', "; expires=2", ", ", ",", ";created=",
)  # fmt: skip
TYPES = pasted(
    "multipart/form-data", "Multipart/Related", "multipart/x", ";", " ;\t", "boundary=", "Boundary=", "aa", '"a=a"', "a.a_a"
)
VALUES = st.binary(max_size=6) | st.sampled_from([b" a", b"a\t", b"gzip"])
FIELDS = st.lists(
    st.tuples(st.sampled_from([b"Authorization", b"authorization"]), SIGNED)
    | st.tuples(st.just(b"Signature"), LABELS)
    | st.tuples(st.just(b"Signature-Input"), INPUTS)
    | st.tuples(st.sampled_from([b"Content-Type", b"Content_Type", b"Content-Encoding"]), TYPES)
    | st.tuples(st.sampled_from([b"X-A", b"x-a", b"X-B", b"Cookie", b"Date", b"x-stainless-a", b"X-STAINLESS", b"x_a"]), VALUES),
    max_size=5,
)
BODIES = st.lists(
    st.sampled_from([b"--aa", b"--AA", b"--a=a", b"\r\n", b"\n", b"--", b"-", b"aa", b"x", b"\r\n--aa\r\n", b"\r\n--aa--"]),
    max_size=12,
).map(b"".join)


def both(headers: list[tuple[bytes, bytes]], body: bytes) -> tuple[str, str]:
    parts: dict[str, Any] = {"method": "POST", "scheme": "https", "host": "a.test", "port": 443, "target": b"/a?b"}
    ours = digest(made(headers, **parts), agent_id=AGENT, body=body, key=KEY)
    return ours, reference.digest(**parts, agent_id=AGENT, headers=headers, body=body, key=KEY)


@given(headers=FIELDS, body=BODIES)
def test_the_implementation_agrees_with_the_reference(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    ours, theirs = both(headers, body)
    assert ours == theirs


@given(value=SIGNED)
def test_both_read_every_authorization_alike(value: bytes) -> None:
    ours, theirs = both([(b"authorization", value)], b"")
    assert ours == theirs


@given(value=INPUTS, labels=LABELS)
def test_both_read_every_message_signature_alike(value: bytes, labels: bytes) -> None:
    ours, theirs = both([(b"signature-input", value), (b"signature", labels)], b"")
    assert ours == theirs


@given(boundary=st.sampled_from(["aa", '"a=a"', "aA"]), rest=BODIES)
def test_both_cut_every_multipart_body_alike(boundary: str, rest: bytes) -> None:
    plain = boundary.strip('"').encode()
    for body in (rest, b"--" + plain + b"\r\n" + rest + b"\r\n--" + plain + b"--"):
        ours, theirs = both([(b"content-type", f"multipart/form-data; boundary={boundary}".encode())], body)
        assert ours == theirs


@given(st.lists(st.tuples(st.sampled_from([b"x-a", b"x-b", b"x-c"]), VALUES), max_size=6), st.randoms())
def test_only_the_order_within_one_name_counts(headers: list[tuple[bytes, bytes]], random: Any) -> None:
    queues = {name: [field for field in headers if field[0] == name] for name, _ in headers}
    order = [name for name, _ in headers]
    random.shuffle(order)
    shuffled = [queues[name].pop(0) for name in order]
    assert both(headers, b"")[0] == both(shuffled, b"")[0]
