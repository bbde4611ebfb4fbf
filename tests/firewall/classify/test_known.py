from firewall.classify.known import NOBODY, Empty, Known


def test_a_protocol_is_spoken_where_the_operator_says_so() -> None:
    known = Known(speakers={"git": ("git.corp.test", "*.forge.test")})
    assert [known.speaks("git", host) for host in ("git.corp.test", "a.forge.test", "forge.test")] == [True, True, False]
    assert not known.speaks("npm", "git.corp.test")


def test_nobody_knows_anything() -> None:
    assert not NOBODY.speaks("git", "a.test")
    assert not Empty().knows("a.test")
    assert Empty().look_up("a.test", "GET", ("a",), "", frozenset()) is None
