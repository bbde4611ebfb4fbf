"""SSRF by name and DNS rebinding where every address is local and each SYN is seen: what is refused is not dialled either."""

import json
import os

import pytest

from tests.attacks.everywhere import Became, Question, ask, missing
from tests.attacks.vector import FOLDER

PUBLIC, OTHER = "8.8.8.8", "2606:4700::1111"
REFUSED: list[tuple[str, str]] = [
    (address, kind)
    for address, kind in json.loads((FOLDER / "addresses.json").read_text("utf-8"))["refused"]
    if kind not in ("not an address", "zone")
]
UNGUARDED = ("10.0.0.1", "169.254.169.254", "100.64.0.1", "192.0.2.1", "fd00:ec2::254")
QUESTIONS = {
    "a public one": Question(says=[[PUBLIC]]),
    "a public one of IPv6": Question(says=[[OTHER]]),
    "to metadata between two requests": Question(says=[[PUBLIC], ["169.254.169.254"]]),
    "to loopback and back": Question(says=[[PUBLIC], ["127.0.0.1"], [PUBLIC]]),
    "a public and a private one": Question(says=[[PUBLIC, "10.0.0.1"]]),
    "a public one, and a private one of IPv6": Question(says=[[PUBLIC, "fd00::1"]]),
    "to an IPv4 address in IPv6": Question(says=[[PUBLIC], ["::ffff:10.0.0.1"]]),
    **{f"leads to {address}": Question(says=[[address]]) for address, _ in REFUSED},
    **{f"unguarded, leads to {address}": Question(says=[[address]], guarded=False) for address in UNGUARDED},
}


@pytest.fixture(scope="module")
def became() -> dict[str, Became]:
    if (reason := missing()) is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return ask(QUESTIONS)


@pytest.mark.parametrize(("name", "address"), [("a public one", PUBLIC), ("a public one of IPv6", OTHER)])
def test_a_name_that_leads_to_a_public_address_is_dialled_there_and_its_syn_is_seen(
    became: dict[str, Became], name: str, address: str
) -> None:
    assert became[name] == Became(statuses=[200], details=[""], dialled=[address])


@pytest.mark.parametrize(("address", "kind"), REFUSED)
def test_a_name_that_leads_to_an_address_that_is_refused_dials_nothing(became: dict[str, Became], address: str, kind: str) -> None:
    got = became[f"leads to {address}"]
    assert (got.statuses, got.dialled) == ([403], [])
    assert kind in got.details[0]


@pytest.mark.parametrize(
    ("name", "statuses", "kind"),
    [
        ("to metadata between two requests", [200, 403], "metadata"),
        ("to loopback and back", [200, 403, 200], "loopback"),
        ("to an IPv4 address in IPv6", [200, 403], "private"),
        ("a public and a private one", [403], "private"),
        ("a public one, and a private one of IPv6", [403], "private"),
    ],
)
def test_a_name_that_leads_elsewhere_dials_only_what_it_may(
    became: dict[str, Became], name: str, statuses: list[int], kind: str
) -> None:
    got = became[name]
    assert got.statuses == statuses
    assert set(got.dialled) == ({PUBLIC} if 200 in statuses else set())
    assert kind in got.details[statuses.index(403)]


@pytest.mark.parametrize("address", UNGUARDED)
def test_without_the_guard_each_is_dialled(became: dict[str, Became], address: str) -> None:
    assert became[f"unguarded, leads to {address}"] == Became(statuses=[200], details=[""], dialled=[address])
