import pytest

from benchmarks.load import BODY, Result, share


def test_a_post_carries_two_kilobytes() -> None:
    assert len(BODY) == 2048


@pytest.mark.parametrize("askers", [1, 16, 50, 64])
def test_every_agent_is_asked_for_and_no_asker_is_idle(askers: int) -> None:
    agents = [f"agent-{n}" for n in range(50)]
    shares = [share(agents, number, askers) for number in range(askers)]
    assert all(shares)
    assert {agent for mine in shares for agent in mine} == set(agents)


def test_an_answer_other_than_200_is_kept() -> None:
    result = Result()
    for status in (200, 403, 200):
        result.add(status)
    assert (result.asked, result.bad) == (3, [403])
