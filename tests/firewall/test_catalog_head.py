import pytest

from firewall.catalog_head import head_of, shipped, shipped_text
from firewall.classify.catalog.facts import parse_facts, revision_of
from firewall.dialects import shipped_services

TEXT = """aaf-facts/1
service	shop
title	The shop
source	npm shop 1
date	2026-01-01
licence	MIT
note	left out: one thing
at	*.shop.test,api.shop.test	/
op	GET	/a	read	a.get
op	POST	/a	write	a.make
at	s3.aws.invalid	/
op	GET	/a	read	a.get
"""


def test_a_catalog_says_what_it_is_and_counts_its_operations_once() -> None:
    head = head_of(TEXT)
    assert (head.service, head.title, head.source, head.date, head.licence) == (
        "shop", "The shop", "npm shop 1", "2026-01-01", "MIT",
    )  # fmt: skip
    assert (head.revision, head.notes, head.operations) == (revision_of(TEXT), ("left out: one thing",), 2)
    assert head.hosts == ("*.shop.test", "api.shop.test"), "places that are no hosts are nobody's to read"


def test_the_beginning_of_a_text_is_enough_for_its_name() -> None:
    assert head_of(TEXT[:100]).title == "The shop"


@pytest.mark.parametrize("text", ["", "aaf-facts/1", "aaf-facts/1\nservice\tx\n", TEXT.replace("date", "day", 1)])
def test_what_is_no_catalog_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not the text of facts"):
        head_of(text)


def test_every_catalog_that_ships_is_named_after_its_file() -> None:
    assert list(shipped()) == sorted(shipped_services())
    for service, head in shipped().items():
        assert head.service == service
        assert head.operations > 0


@pytest.mark.parametrize("service", sorted(shipped_services())[:1])
def test_the_text_of_one_that_ships_is_facts(service: str) -> None:
    assert parse_facts(shipped_text(service)).service == service
