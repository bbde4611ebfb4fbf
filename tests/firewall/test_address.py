import json
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.address import TABLE, forms, literal, refusal

FOLDER = Path(__file__).parents[1] / "vectors"
VECTORS = json.loads((FOLDER / "addresses.json").read_text("utf-8"))
IANA = json.loads((FOLDER / "iana.json").read_text("utf-8"))


@pytest.mark.parametrize(("address", "word"), VECTORS["refused"])
def test_a_special_address_is_refused_by_its_class(address: str, word: str) -> None:
    why = refusal(address, ())
    assert why is not None
    assert word in why


@pytest.mark.parametrize("address", VECTORS["passed"])
def test_a_global_address_passes(address: str) -> None:
    assert refusal(address, ()) is None


@pytest.mark.parametrize(("address", "ranges", "passes"), VECTORS["lifted"])
def test_what_the_policy_names_is_lifted_and_nothing_else(address: str, ranges: list[str], passes: bool) -> None:
    assert (refusal(address, ranges) is None) is passes


@given(st.integers(0, 2**32 - 1))
def test_no_ipv4_address_passes_that_python_calls_special(value: int) -> None:
    address = IPv4Address(value)
    if not address.is_global or address.is_multicast or address.is_reserved:
        assert refusal(str(address), ()) is not None
    for form in (f"::ffff:{address}", f"64:ff9b::{address}", f"::{address}", f"2002:{value >> 16:x}:{value & 0xFFFF:x}::1"):
        assert refusal(form, ()) is not None


@given(st.integers(0, 2**128 - 1))
def test_no_ipv6_address_passes_that_python_calls_special(value: int) -> None:
    address = IPv6Address(value)
    if not address.is_global or address.is_multicast or address not in ip_network("2000::/3"):
        assert refusal(str(address), ()) is not None


def test_the_edges_of_every_class_are_refused() -> None:
    for text, _ in TABLE:
        network = ip_network(text)
        assert refusal(str(network[0]), ()) is not None
        assert refusal(str(network[-1]), ()) is not None


@pytest.mark.parametrize("block", IANA["blocks"])
def test_no_address_of_a_special_purpose_registry_passes(block: str) -> None:
    network = ip_network(block)
    for number in (0, network.num_addresses // 2, network.num_addresses - 1):
        assert refusal(str(network[number]), ()) is not None


def test_the_forms_of_an_address_are_itself_and_what_it_carries() -> None:
    assert forms("::FFFF:127.0.0.1") == ("::ffff:127.0.0.1", "127.0.0.1")
    assert forms("64:ff9b::a01:203") == ("64:ff9b::a01:203", "10.1.2.3")
    assert forms("10.1.2.3") == ("10.1.2.3",)
    assert forms("::1") == ("::1",)
    assert forms("localhost") == ()


def test_a_literal_is_told_from_a_name_and_made_canonical() -> None:
    assert literal("2001:DB8:0:0::1") == "2001:db8::1"
    assert literal("10.0.0.1") == "10.0.0.1"
    assert literal("example.com") is None
    assert literal("[::1]") is None
    assert literal("fe80::1%eth0") is None
    assert str(ip_address("::1")) == literal("::1")
