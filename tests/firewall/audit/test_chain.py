"""The chain: what links, what does not and why; and the checks of docs/audit-format.md that need nothing of ours."""

import hashlib
import re
import subprocess
import sys
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.audit.chain import GENESIS, Fault, Row, Verifier, leaf_hash
from firewall.audit.entry import Draft, Event
from firewall.backends.postgres.store import Store
from firewall.ports import Item
from firewall.seal import Sealer
from tests.conftest import Database
from tests.firewall.audit.document import TEXT, VECTORS, block

CHAIN: dict[str, Any] = VECTORS["chain"]
TAMPERED: list[dict[str, Any]] = VECTORS["tampered"]


def row(given: dict[str, Any]) -> Row:
    return Row(
        seq=given["seq"],
        event_hash=bytes.fromhex(given["event_hash"]),
        leaf_hash=bytes.fromhex(given["leaf_hash"]),
        body=given["body"].encode("utf-8", "surrogatepass"),
    )


ROWS = tuple(row(given) for given in CHAIN["rows"])


def walk(rows: tuple[Row, ...], size: int, last_leaf: bytes, origin: str | None = None) -> Fault | None:
    verifier = Verifier(origin)
    for each in rows:
        fault = verifier.feed(each)
        if fault is not None:
            return fault
    return verifier.finish(size, last_leaf)


def linked(bodies: list[bytes]) -> tuple[Row, ...]:
    """Rows that are linked as they should be, whatever the bodies are."""
    rows: list[Row] = []
    before = GENESIS
    for seq, body in enumerate(bodies):
        event_hash = hashlib.sha256(body).digest()
        before = leaf_hash(seq, before, event_hash)
        rows.append(Row(seq=seq, event_hash=event_hash, leaf_hash=before, body=body))
    return tuple(rows)


def exported(rows: tuple[Row, ...]) -> str:
    return "".join(f"{each.seq}|{each.leaf_hash.hex()}|{each.body.hex()}\n" for each in rows)


def check(text: str) -> subprocess.CompletedProcess[str]:
    """The program of the specification."""
    return subprocess.run([sys.executable, "-c", block("python check")], input=text, capture_output=True, text=True)


# --- vectors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", VECTORS["leaves"], ids=lambda case: str(case["seq"]))
def test_a_leaf_hash_is_that_of_the_vector(case: dict[str, Any]) -> None:
    prev, event_hash = bytes.fromhex(case["prev"]), bytes.fromhex(case["event_hash"])
    assert leaf_hash(case["seq"], prev, event_hash).hex() == case["leaf_hash"]
    assert hashlib.sha256(b"\x00" + case["text"].encode()).hexdigest() == case["leaf_hash"]


@pytest.mark.parametrize("origin", [None, CHAIN["origin"]])
def test_a_good_chain_has_no_fault(origin: str | None) -> None:
    assert walk(ROWS, CHAIN["size"], bytes.fromhex(CHAIN["last_leaf"]), origin) is None


@pytest.mark.parametrize("case", TAMPERED, ids=lambda case: case["attack"])
def test_a_tampered_chain_is_found_out_at_its_entry_with_its_reason(case: dict[str, Any]) -> None:
    rows = tuple(row(given) for given in case["rows"])
    found = walk(rows, case["size"], bytes.fromhex(case["last_leaf"]))
    assert found == Fault(seq=case["seq"], reason=case["reason"])


def test_the_reasons_of_the_specification_are_those_of_the_vectors() -> None:
    section = " ".join(TEXT.split("\n## Verification\n", 1)[1].split("\n## ", 1)[0].split())
    placeholders = {"N": r"\d+", "M": r"\d+", "W": r"\S+", "…": r".+"}
    reasons = re.findall(r'"([^"]+)"', section)
    patterns = [" ".join(placeholders.get(word) or re.escape(word) for word in reason.split(" ")) for reason in reasons]
    told = [{i for i, pattern in enumerate(patterns) if re.fullmatch(pattern, case["reason"])} for case in TAMPERED]
    assert [case["reason"] for case, found in zip(TAMPERED, told, strict=True) if len(found) != 1] == []
    assert [reasons[i] for i in set(range(len(reasons))) - set().union(*told)] == []


def test_a_chain_of_another_log_is_found_out_at_its_first_entry() -> None:
    assert walk(ROWS, len(ROWS), ROWS[-1].leaf_hash, "other") == Fault(seq=0, reason="the entry belongs to another log")


def test_an_empty_log_is_good() -> None:
    assert walk((), 0, GENESIS) is None
    assert walk((), 1, GENESIS) == Fault(seq=0, reason="the head says 1 entries, and there are 0")


# --- anything ---------------------------------------------------------------------------------------------------------------


@given(st.data())
def test_no_byte_of_a_chain_can_change(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(ROWS) - 1))
    old = ROWS[at]
    body = bytearray(old.body)
    body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
    rows = (*ROWS[:at], Row(seq=at, event_hash=old.event_hash, leaf_hash=old.leaf_hash, body=bytes(body)), *ROWS[at + 1 :])
    assert walk(rows, len(rows), rows[-1].leaf_hash) is not None
    # Linked anew, it is another chain: its end is not the one that is known.
    anew = linked([each.body for each in rows])
    assert walk(anew, len(anew), ROWS[-1].leaf_hash) is not None


@given(st.lists(st.binary(max_size=40) | st.sampled_from([each.body for each in ROWS]), min_size=1, max_size=5))
def test_whatever_the_entries_are_the_verifier_says_so_and_never_raises(bodies: list[bytes]) -> None:
    rows = linked(bodies)
    good = [each.body for each in ROWS[: len(bodies)]] == bodies
    assert (walk(rows, len(rows), rows[-1].leaf_hash) is None) <= (good or bodies[0] in {ROWS[0].body, ROWS[2].body})


@given(st.permutations(range(len(ROWS))))
def test_no_other_order_of_the_entries_is_good(order: list[int]) -> None:
    rows = tuple(ROWS[i] for i in order)
    assert (walk(rows, len(ROWS), ROWS[-1].leaf_hash) is None) == (order == sorted(order))


# --- the specification ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1])
def test_an_entry_of_the_example_is_linked_as_it_says(number: int) -> None:
    prev = bytes.fromhex(block("text leaf-hash-0")) if number else GENESIS
    event_hash = block(f"text event-hash-{number}")
    assert block(f"text leaf-{number}") + "\n" == f"aaf-audit/v1\n{number}\n{prev.hex()}\n{event_hash}\n"
    assert leaf_hash(number, prev, bytes.fromhex(event_hash)).hex() == block(f"text leaf-hash-{number}")


def test_the_example_is_the_beginning_of_the_chain_of_the_vectors() -> None:
    assert [block("json entry-0"), block("json entry-1")] == [given["body"] for given in CHAIN["rows"][:2]]
    assert walk(ROWS[:2], 2, bytes.fromhex(block("text leaf-hash-1"))) is None


def test_the_shell_alone_gets_the_hashes_of_the_example() -> None:
    entry, event_hash, before = block("json entry-1"), block("text event-hash-1"), block("text leaf-hash-0")
    given = {"PATH": "/usr/bin:/bin", "ENTRY": entry, "SEQ": "1", "LEAF_HASH_BEFORE": before, "EVENT_HASH": event_hash}
    said = subprocess.run(["/bin/sh", "-c", block("sh")], env=given, capture_output=True, text=True)
    assert [line.split()[0] for line in said.stdout.splitlines()] == [event_hash, block("text leaf-hash-1")]


def test_the_program_of_the_specification_finds_a_good_chain_good() -> None:
    said = check(exported(ROWS))
    assert (said.returncode, said.stdout) == (0, f"good: {len(ROWS)} entries, the last leaf is {CHAIN['last_leaf']}\n")


FORM = (
    "a fraction", "an integer of", "a key beyond", "without a salt", "a short salt", "a time of", "a part in", "a list of parts",
    "a key behind", "more than its", "that is true",
)  # fmt: skip
"""What only the whole verification sees: an entry that is linked, and is not of the form."""


@pytest.mark.parametrize(
    "case",
    [case for case in TAMPERED if not any(words in case["attack"] for words in FORM)],
    ids=lambda case: case["attack"],
)
def test_the_program_of_the_specification_finds_a_tampered_chain_out(case: dict[str, Any]) -> None:
    said = check(exported(tuple(row(given) for given in case["rows"])))
    leaf = said.stdout.rpartition(" ")[2].strip()
    assert said.returncode != 0 or leaf != case["last_leaf"] or f"good: {case['size']} " not in said.stdout


async def test_a_log_in_postgres_is_checked_without_us(database: Database, sealer: Sealer) -> None:
    store = await Store.connect(database.app_dsn, sealer=sealer, process="gateway")
    for n in range(5):
        draft = Draft(event=Event.APPROVAL_EXPIRED, fields={"approval": f"apr_{n}", "note": "ü"}, parts={"path": b"/a"})
        await store.ledger.append(Item(drafts=(draft,)))
    await store.close()
    connection = await asyncpg.connect(database.super_dsn)
    try:
        assert await connection.fetch(block("sql check")) == []
        lines = [record[0] for record in await connection.fetch(block("sql export"))]
        head = await connection.fetchrow("select size, last_leaf from aaf.audit_head")
        said = check("\n".join(lines) + "\n")
        assert said.stdout == f"good: {head['size']} entries, the last leaf is {head['last_leaf'].hex()}\n"
        await connection.execute("update aaf.audit_log set body = body || ' '::bytea where seq = 3")
        assert [record["seq"] for record in await connection.fetch(block("sql check"))] == [3]
        await connection.execute("delete from aaf.audit_log where seq = 2")
        assert [record["seq"] for record in await connection.fetch(block("sql check"))] == [3]
    finally:
        await connection.close()
