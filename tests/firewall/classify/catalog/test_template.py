import pytest

from firewall.classify.catalog.template import Hole, Span, Step, joined, parse_template


def literal(text: str) -> Step:
    return Step(pieces=(text,))


def hole(name: str, width: str = "", *, before: str = "", behind: str = "") -> Step:
    return Step(pieces=(before, behind), holes=(Hole(name=name, width=width),))


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("/", (literal(""),)),
        ("/user/", (literal("user"), literal(""))),
        ("/repos/{owner}/x y", (literal("repos"), hole("owner"), literal("x y"))),
        ("/b/{*key}", (literal("b"), hole("key", "*"))),
        ("/c/{+path}", (literal("c"), hole("path", "+"))),
        ("/c/{+path}/d", (literal("c"), hole("path", "+"), literal("d"))),
        ("/{+path}:cancel", (hole("path", "+", behind=":cancel"),)),
        ("/v{version}", (hole("version", before="v"),)),
        ("/{name}.json", (hole("name", behind=".json"),)),
        (
            "/range(from='{a}',to='{b}')",
            (Step(pieces=("range(from='", "',to='", "')"), holes=(Hole(name="a"), Hole(name="b"))),),
        ),
    ],
)
def test_a_template_is_a_step_a_segment(text: str, steps: tuple[Step, ...]) -> None:
    found = parse_template(text)
    assert (found.steps, found.spans, found.query) == (steps, (), ())
    assert "/" + "/".join(step.text for step in found.steps) == text


@pytest.mark.parametrize(
    ("text", "steps", "span"),
    [
        ("/v1/{name=a/*}", (literal("v1"), literal("a"), hole("")), Span(name="name", first=1, last=2, cut=0)),
        ("/{name=a/*}:go", (literal("a"), hole("", behind=":go")), Span(name="name", first=0, last=1, cut=3)),
        ("/{name=a/**}:go", (literal("a"), hole("", "+", behind=":go")), Span(name="name", first=0, last=1, cut=3)),
        ("/{name=a/*/b}:go", (literal("a"), hole(""), literal("b:go")), Span(name="name", first=0, last=2, cut=3)),
        ("/{name=*}/c", (hole(""), literal("c")), Span(name="name", first=0, last=0, cut=0)),
    ],
)
def test_a_pattern_is_steps_and_the_span_of_its_name(text: str, steps: tuple[Step, ...], span: Span) -> None:
    found = parse_template(text)
    assert (found.steps, found.spans) == (steps, (span,))


def test_constraints_stand_behind_the_question_mark() -> None:
    assert parse_template("/{Bucket}?acl&comp=list&x=").query == (("acl", None), ("comp", "list"), ("x", ""))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "begins with /"),
        ("user", "begins with /"),
        ("/a//b", "empty segment"),
        ("/a/../b", "dot segment"),
        ("/a/.", "dot segment"),
        ("/a/{b", "brace"),
        ("/a/b}", "brace"),
        ("/a/{}", "brace"),
        ("/a/{+}", "brace"),
        ("/a/{b/c}", "brace"),
        ("/a/{b/c}/{d=e/*}", "no name"),
        ("/a/{b}{c}", "where one ends"),
        ("/a/x{+b}", "begins its segment"),
        ("/a/{+b}.{c}", "begins its segment"),
        ("/a/x{b=c/*}", "at the beginning"),
        ("/a/{+b=c/*}", r"has no \+ or \*"),
        ("/a/{b=c/*}{d}", "only a literal"),
        ("/a/{b=c*/d}", r"literals, \* or"),
        ("/a/{b=c//d}", r"literals, \* or"),
        ("/a/{b=../d}", r"literals, \* or"),
        ("/a/{b}/{b}", "of one name"),
        ("/a/{b}/{b=c/*}", "of one name"),
        ("/a?", "without a name"),
        ("/a?=x", "without a name"),
        ("/a?x&x=1", "of one name"),
        ("/a\u202eb", "do not print"),
        ("/" + "a" * 1000, "longer than"),
        ("/" + "a/" * 64, "more than"),
        ("/" + "/".join(f"{{p{i}}}" for i in range(33)), "more than"),
    ],
)
def test_what_nobody_can_read_is_no_template(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse_template(text)


def test_a_template_stands_below_a_base_path() -> None:
    assert [joined("/", "/user"), joined("/api/v3", "/user"), joined("/api/v3", "/")] == ["/user", "/api/v3/user", "/api/v3/"]
