"""What is found out about a request, for the protocols to look at."""

from firewall.action import Kind
from firewall.classify.known import NOBODY
from firewall.classify.meaning import Subject
from firewall.classify.packages.asked import Asked
from firewall.request import parse

REQUEST = parse(method="POST", scheme="https", host="a.test", port=443, target=b"/a/b", headers=[(b"Accept", b"Text/HTML")])
ASKED = Asked(subject=Subject(REQUEST, NOBODY), service="npm", path=("a", "b"), named=False)


def test_words_of_a_field_are_found_in_any_case() -> None:
    assert (ASKED.last, ASKED.reads) == ("b", False)
    assert ASKED.says(b"accept", "text/html")
    assert not ASKED.says(b"user-agent", "npm")


def test_only_what_the_operator_names_is_sure_or_milder() -> None:
    meaning = ASKED.means("audit", Kind.READ, package="x", lowers=True)
    assert (meaning.lowers, meaning.sure, meaning.resource) == (False, False, {"package": "x"})
