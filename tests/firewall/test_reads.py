import inspect
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from firewall import reads
from firewall.backends.postgres.reads import PostgresReads
from firewall.ids import ActionId
from firewall.reads import ActionFilter, Claim, EntryFilter, Reads

ROWS = [found for _, found in inspect.getmembers(reads, is_dataclass) if found.__module__ == reads.__name__]
METHODS = sorted(name for name, found in vars(Reads).items() if inspect.isfunction(found) and not name.startswith("_"))


@pytest.mark.parametrize("name", METHODS)
def test_the_backend_has_every_method_of_the_port_as_the_port_says_it(name: str) -> None:
    port, backend = getattr(Reads, name), getattr(PostgresReads, name)
    assert inspect.iscoroutinefunction(port)
    assert inspect.iscoroutinefunction(backend)
    assert inspect.signature(backend) == inspect.signature(port)


def test_nothing_that_is_read_can_be_changed() -> None:
    claim = Claim(params_hash=b"", action_id=ActionId("act_1"))
    with pytest.raises(FrozenInstanceError):
        claim.params_hash = b"x"  # type: ignore[misc]
    assert ROWS
    assert [row for row in ROWS if not vars(row)["__dataclass_params__"].frozen] == []


def test_a_filter_that_says_nothing_matches_everything() -> None:
    assert {getattr(ActionFilter(), field.name) for field in fields(ActionFilter)} == {None}
    assert EntryFilter() == EntryFilter(from_seq=0, event=None, mentions=())


def test_no_row_of_a_person_or_an_agent_has_room_for_a_secret() -> None:
    names = {field.name for row in (reads.KeyRecord, reads.AgentRecord) for field in fields(row)}
    assert not names & {"key", "key_hash", "token", "token_hash", "secret"}


def test_every_list_is_bounded() -> None:
    for name in ("keys", "agents", "actions", "approvals", "policies", "catalogs", "entries", "chain"):
        limit = inspect.signature(getattr(Reads, name)).parameters["limit"]
        assert (limit.annotation, limit.default) == (int, inspect.Parameter.empty)
