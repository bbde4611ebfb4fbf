"""Targets, hosts and authorities that two readers could take differently are refused; each case is named by the attack."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from firewall.errors import Malformed, Refused, TargetTooLong
from firewall.request import HOP_BY_HOP, TARGET_LIMIT, Request, canonical_host, end_to_end, parse, parse_authority, refuse_slashes

VECTORS = Path(__file__).parents[1] / "vectors"
PATHS = json.loads((VECTORS / "paths.json").read_text("utf-8"))
HOSTS = json.loads((VECTORS / "hosts.json").read_text("utf-8"))
AUTHORITIES = json.loads((VECTORS / "authorities.json").read_text("utf-8"))
Case = dict[str, Any]


def read(target: bytes) -> Request:
    request = parse(method="GET", scheme="https", host="example.com", port=443, target=target, headers=())
    refuse_slashes(request)
    return request


def named(case: Case) -> str:
    return str(case.get("attack") or case.get("name") or case["authority"])


# --- targets ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PATHS["refused"], ids=named)
def test_an_ambiguous_target_is_refused_with_its_reason(case: Case) -> None:
    with pytest.raises(Malformed, match=case["says"]):
        read(case["target"].encode())


@pytest.mark.parametrize("case", PATHS["accepted"], ids=named)
def test_a_plain_target_is_judged_by_its_decoding_and_kept_as_it_was(case: Case) -> None:
    request = read(case["target"].encode())
    assert list(request.segments) == case["segments"]
    assert request.target == case["target"].encode()


def test_path_and_query_part_at_the_first_question_mark() -> None:
    request = read(b"/a%3Fb?c=d?e")
    assert (request.path, request.query, request.segments) == ("/a%3Fb", "c=d?e", ("a?b",))


def test_a_target_of_8_kib_passes_and_one_byte_more_is_refused() -> None:
    assert len(read(b"/" + b"a" * (TARGET_LIMIT - 1)).target) == TARGET_LIMIT
    with pytest.raises(TargetTooLong, match="8192 bytes"):
        read(b"/" + b"a" * TARGET_LIMIT)


PIECES = st.sampled_from(
    ["/", ".", "..", "%2e", "%2F", "%5c", "%25", "2f", "2", "%32", "%66", "u002f", "%", ";", "%3b", "\\", "a", "%20", "%00", "?",
     "%ef%bc%8f", "%e2%80%a5", "%c0%af", "%c3%a9", "é", "#"]
)  # fmt: skip
TARGETS = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=14).map(lambda pieces: b"/" + "".join(pieces).encode()))


@given(TARGETS)
@example(b"/a%25%32%66..")
def test_any_target_is_read_or_refused_and_a_second_decoding_of_what_is_read_finds_nothing_new(target: bytes) -> None:
    try:
        request = read(target)
    except Refused:
        return
    path = target.partition(b"?")[0]
    # Decoded by another reader, before or after it is split: the same segments.
    assert unquote_to_bytes(path).decode().split("/")[1:] == list(request.segments)
    again = [unquote_to_bytes(segment).decode("utf-8", "replace") for segment in request.segments]
    assert again == list(request.segments)
    assert not {".", "..", "\\"} & {segment.partition(";")[0] for segment in request.segments}
    assert "" not in request.segments[:-1]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="/\\%;"), min_size=1, max_size=8), min_size=1, max_size=5))
def test_what_is_encoded_once_comes_back_or_is_refused(segments: list[str]) -> None:
    target = "".join("/" + quote(segment, safe="") for segment in segments).encode()
    try:
        found = read(target).segments
    except Malformed as error:
        found, why = tuple(segments), error.detail
        folded = [unicodedata.normalize("NFKC", segment).strip() for segment in segments]
        odd = [text for text in folded if text in {".", ".."} or re.search(r"[/\\;%\x00-\x1f\x7f]", text)]
        assert odd or re.search(r"[\x00-\x1f\x7f]", "".join(segments)), why
    assert found == tuple(segments)


# --- header fields ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP - {b"connection", b"upgrade"}))
def test_what_ends_at_a_hop_goes_no_further(name: bytes) -> None:
    assert end_to_end([(name.title(), b"x"), (b"Accept", b"*/*")]) == ((b"Accept", b"*/*"),)


@pytest.mark.parametrize("value", [b"close", b"keep-alive, TE", b"Upgrade, HTTP2-Settings", b"", b" , close"])
def test_connection_may_name_what_belongs_to_the_hop(value: bytes) -> None:
    assert end_to_end([(b"Connection", value), (b"a", b"b")]) == ((b"a", b"b"),)


@pytest.mark.parametrize("value", [b"Authorization", b"close, x-api-key", b"keep-alive,Host", b"content-length", b"cookie"])
def test_connection_may_not_take_a_field_out_of_the_request(value: bytes) -> None:
    with pytest.raises(Malformed, match="belongs to the request"):
        end_to_end([(b"a", b"b"), (b"CONNECTION", value)])


def test_an_upgrade_that_was_not_stripped_counts_as_part_of_the_request() -> None:
    assert end_to_end([(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]) == ((b"Upgrade", b"websocket"),)


def test_fields_keep_their_order_their_case_and_their_duplicates() -> None:
    fields = ((b"X-B", b"1"), (b"x-a", b"2"), (b"X-B", b"3"))
    assert end_to_end(fields) == fields


# --- hosts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", HOSTS["refused"], ids=named)
def test_a_host_that_a_resolver_might_read_otherwise_is_refused(case: Case) -> None:
    with pytest.raises(Malformed, match=r"host|address|IPv6"):
        canonical_host(case["host"])


@pytest.mark.parametrize("case", HOSTS["canonical"], ids=named)
def test_a_host_has_one_form(case: Case) -> None:
    assert canonical_host(case["host"]) == case["is"]


def test_a_name_of_253_characters_passes_and_one_more_is_refused() -> None:
    longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
    assert canonical_host(longest) == longest
    with pytest.raises(Malformed, match="not a host name"):
        canonical_host(longest + "d")


HOST_PIECES = st.sampled_from(
    [".", "127", "0x7f", "1", "0", "a", "-", "_", "xn--", "é", "ß", "。", "１", "℀", "[", "]", ":", "%", "ffff"]
)


@given(st.one_of(st.text(max_size=40), st.lists(HOST_PIECES, max_size=10).map("".join)))
def test_any_host_is_refused_or_gets_a_form_that_is_its_own(text: str) -> None:
    try:
        host = canonical_host(text)
    except Malformed:
        return
    assert canonical_host(host) == host
    assert re.fullmatch(r"[a-z0-9_.:-]+", host)


@given(st.ip_addresses())
def test_every_address_keeps_its_value_in_its_one_form(address: object) -> None:
    assert canonical_host(str(address)) == str(address)


# --- authorities --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", AUTHORITIES["refused"], ids=named)
def test_an_ambiguous_authority_is_refused_with_its_reason(case: Case) -> None:
    with pytest.raises(Malformed, match=case["says"]):
        parse_authority(case["authority"], None)


@pytest.mark.parametrize("case", AUTHORITIES["accepted"], ids=named)
def test_a_plain_authority_is_host_and_port(case: Case) -> None:
    assert parse_authority(case["authority"], case["default"]) == (case["host"], case["port"])


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[a-z\[\]:.@/0-9\u0660-\u0669]{0,24}", fullmatch=True)))
def test_any_authority_is_refused_or_names_a_canonical_host_and_a_port(text: str) -> None:
    try:
        host, port = parse_authority(text, 443)
    except Malformed:
        return
    assert canonical_host(host) == host
    assert 1 <= port <= 65535


@pytest.mark.parametrize(
    "vectors", [PATHS["refused"], HOSTS["refused"], AUTHORITIES["refused"]], ids=["paths", "hosts", "authorities"]
)
def test_every_attack_has_a_name_of_its_own_and_a_source(vectors: list[Case]) -> None:
    assert len({case["attack"] for case in vectors}) == len(vectors)
    assert [case["attack"] for case in vectors if not case["source"]] == []
