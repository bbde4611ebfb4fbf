from addons.memory import Memory
from tests.addons.made import Made


async def test_room_is_for_all_together_and_comes_back_once() -> None:
    made, memory = Made(), Memory()
    first, second = made.passage(), made.passage(number=2)
    assert memory.set_aside(first, 60, limit=100)
    assert not memory.set_aside(second, 41, limit=100)
    assert memory.set_aside(second, 40, limit=100)
    assert memory.set_aside(first, 10, limit=100), "what it had is its own to replace"
    assert (memory.taken, first.held_bytes) == (50, 10)
    memory.give_back(first)
    memory.give_back(first)
    assert memory.taken == 40
