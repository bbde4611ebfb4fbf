from collections.abc import Mapping

from addons.knowledge import Knowledge
from firewall.classify.known import Empty


def test_what_counts_now_is_what_was_learnt_last() -> None:
    spoken: dict[str, Mapping[str, tuple[str, ...]]] = {"now": {}}
    shipped, users = Empty(), Empty()
    known = Knowledge(shipped, lambda: spoken["now"])
    assert known().shipped is shipped
    assert known() is known(), "nothing changed"
    spoken["now"] = {"git": ("git.corp.test",)}
    assert known().speaks("git", "git.corp.test")
    known.learn(users)
    assert known().users is users
    assert known().speaks("git", "git.corp.test")
