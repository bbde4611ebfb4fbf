import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firewall.action import Kind
from firewall.classify.catalog import facts as module
from firewall.classify.catalog.facts import BadFacts, Facts, Operation, Section, parse_facts, print_facts, revision_of
from firewall.classify.catalog.texts import index_of

HEAD = "aaf-facts/1\nservice\tforge\ntitle\tForge\nsource\tnpm forge 1.0.0\ndate\t2026-09-30\nlicence\tMIT\n"
TEXT = (
    HEAD + "note\tmade by hand\n"
    "at\tapi.forge.test\t/\n"
    "op\tGET\t/repos/{owner}\tread\trepos/get\n"
    "op\tPUT\t/{Bucket}/{+Key}\twrite\tCopyObject\th=x-copy-source\tiam=s3:PutObject\n"
    "op\tPUT\t/{Bucket}/{+Key}?uploadId&partNumber\twrite\tUploadPart\n"
    "at\t*.forge.test,uploads.forge.test\t/v2\n"
    "op\tPOST\t/x\twrite\t\n"
    "self\t/api/v3\n"
)


def ordered(text: str) -> str:
    """The sections as they are sorted: `*` comes before letters."""
    head, first, second = text.partition("at\tapi")[0], *text.split("at\t")[1:]
    operations, own = second.split("self")
    return f"{head}at\t{operations}at\t{first}self{own}"


def test_a_text_is_read_into_facts() -> None:
    found = parse_facts(ordered(TEXT))
    assert (found.service, found.title, found.source, found.date, found.licence) == (
        "forge",
        "Forge",
        "npm forge 1.0.0",
        "2026-09-30",
        "MIT",
    )
    assert (found.notes, found.selves) == (("made by hand",), ("/api/v3",))
    first, second = found.sections
    assert (first.hosts, first.base) == (("*.forge.test", "uploads.forge.test"), "/v2")
    assert first.operations == (Operation(method="POST", template="/x", kind=Kind.WRITE),)
    assert second.operations[1] == Operation(
        method="PUT",
        template="/{Bucket}/{+Key}",
        kind=Kind.WRITE,
        operation="CopyObject",
        iam_action="s3:PutObject",
        headers=("x-copy-source",),
    )


def test_what_was_read_is_written_as_it_was() -> None:
    assert print_facts(parse_facts(ordered(TEXT))) == ordered(TEXT)


def test_writing_sorts_and_drops_what_stands_twice() -> None:
    a, b = (Operation(method=method, template="/x", kind=Kind.READ) for method in ("GET", "HEAD"))
    facts = Facts(
        service="forge",
        title="Forge",
        source="by hand",
        date="2026-01-01",
        licence="MIT",
        sections=(
            Section(hosts=("b.test", "a.test", "b.test"), operations=(b, a, b)),
            Section(hosts=("a.test",), operations=(a,)),
        ),
        selves=("/b", "/a", "/b"),
    )
    assert print_facts(facts).splitlines()[6:] == [
        "at\ta.test\t/",
        "op\tGET\t/x\tread\t",
        "at\ta.test,b.test\t/",
        "op\tGET\t/x\tread\t",
        "op\tHEAD\t/x\tread\t",
        "self\t/a",
        "self\t/b",
    ]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("", 1, "line feed"),
        (HEAD.rstrip("\n"), 6, "line feed"),
        (HEAD.replace("/1", "/2"), 1, "first line"),
        (HEAD.replace("\n", "\r\n"), 1, "first line"),
        (HEAD.replace("title", "name"), 3, "title is due here"),
        (HEAD.replace("title\tForge\n", ""), 3, "title is due here"),
        ("aaf-facts/1\nservice\tforge\n", 2, "no title"),
        (HEAD.replace("\tForge", "\tForge\t"), 3, "1 fields, not 2"),
        (HEAD.replace("\tForge", "\t Forge"), 3, "no blank"),
        (HEAD.replace("\tForge", "\t"), 3, "1 to"),
        (HEAD.replace("\tForge", "\tFor\u202ege"), 3, "do not print"),
        (HEAD.replace("forge\n", "http\n"), 2, "no name of a service"),
        (HEAD.replace("forge\n", "a:b\n"), 2, "no name of a service"),
        (HEAD.replace("2026-09-30", "spring"), 5, "no date"),
        (HEAD + "\n", 7, "no word"),
        (HEAD + "op\tGET\t/\tread\tx\n", 7, "stands in a section"),
        (HEAD + "at\tA.test\t/\n", 7, "is written a.test"),
        (HEAD + "at\ta b.test\t/\n", 7, "not a label"),
        (HEAD + "at\ta.test\n", 7, "2 fields"),
        (HEAD + "at\tb.test,a.test\t/\n", 7, "sorted"),
        (HEAD + "at\ta.test\tapi\n", 7, "begins with /"),
        (HEAD + "at\ta.test\t/api/\n", 7, "no slash at its end"),
        (HEAD + "at\ta.test\t/api?x\n", 7, "no query"),
        (HEAD + "at\tb.test\t/\nat\ta.test\t/\n", 8, "sections are sorted"),
        (HEAD + "at\tb.test\t/\nat\tb.test\t/\n", 8, "sections are sorted"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\n", 8, "op has"),
        (HEAD + "at\tb.test\t/\nop\tget\t/\tread\t\n", 8, "no method"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/{a\tread\t\n", 8, "brace"),
        (HEAD + "at\tb.test\t/{a}\nop\tGET\t/{a}\tread\t\n", 8, "of one name"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tharmless\t\n", 8, "none of read, write"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\t x\n", 8, "no blank"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\tx\tdoc=words\n", 8, "neither h="),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\tx\tiam=a:B\th=x\n", 8, "neither h="),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\tx\th=X-Up\n", 8, "neither h="),
        (HEAD + "at\tb.test\t/\nop\tGET\t/\tread\tx\th=b\th=a\n", 8, "sorted"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/b\tread\tx\nop\tGET\t/a\tread\tx\n", 9, "sorted"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/b\tread\tx\nop\tGET\t/b\twrite\tx\n", 9, "sorted"),
        (HEAD + "at\tb.test\t/\nnote\tlate\n", 8, "before the first section"),
        (HEAD + "self\t/\nat\tb.test\t/\n", 8, "behind the last section"),
        (HEAD + "self\t/b\nself\t/a\n", 8, "sorted"),
        (HEAD + "at\tb.test\t/\nop\tGET\t/" + "a" * 4000 + "\tread\t\n", 8, "longer than"),
    ],
)
def test_a_text_that_is_none_is_refused_by_line(text: str, line: int, says: str) -> None:
    with pytest.raises(BadFacts) as caught:
        parse_facts(text)
    assert caught.value.problems[0][0] == line
    assert says in caught.value.problems[0][1]


def test_several_lines_are_told_but_not_without_end() -> None:
    with pytest.raises(BadFacts) as caught:
        parse_facts(HEAD + "nonsense\n" * 1000)
    assert [line for line, _ in caught.value.problems] == list(range(7, 7 + module.MAX_PROBLEMS))


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        ("MAX_TEXT", HEAD + "note\t" + "é" * 30 + "\n"),
        ("MAX_SECTIONS", HEAD + "".join(f"at\ta{i}.test\t/\n" for i in range(4))),
        ("MAX_OPERATIONS", HEAD + "at\ta.test\t/\n" + "".join(f"op\tGET\t/{i}\tread\t\n" for i in range(4))),
    ],
)
def test_a_text_is_bounded(monkeypatch: pytest.MonkeyPatch, limit: str, text: str) -> None:
    parse_facts(text)
    monkeypatch.setattr(module, limit, len(text.encode()) - 1 if limit == "MAX_TEXT" else 2)
    with pytest.raises(BadFacts, match=r"larger|more than"):
        parse_facts(text)


@pytest.mark.parametrize(
    "wrong",
    [
        Facts(service="f", title="a\nb", source="s", date="2026-01-01", licence="MIT"),
        Facts(service="f", title="t", source="s", date="2026-01-01", licence="MIT", notes=("a\tb",)),
        Facts(service="f", title="t", source="s", date="2026-01-01", licence="MIT", sections=(Section(hosts=()),)),
        Facts(
            service="f", title="t", source="s", date="2026-01-01", licence="MIT", sections=(Section(hosts=("a,b",)),), selves=("",)
        ),
    ],
)
def test_what_the_format_cannot_say_is_not_written(wrong: Facts) -> None:
    with pytest.raises(BadFacts):
        print_facts(wrong)


def test_the_example_of_the_document_is_one_and_means_what_it_says() -> None:
    document = (Path(__file__).parents[4] / "docs" / "catalog-format.md").read_text()
    block = document.split("## Example")[1].split("```text\n")[1].split("```")[0]
    text = "\n".join("\t".join(re.split(r"  +", line)) for line in block.split("\n"))
    text = re.sub(r"^(service|title|source|date|licence|note|at|op|self) +", r"\1\t", text, flags=re.MULTILINE)
    match = index_of([print_facts(parse_facts(text))]).look_up(
        "api.github.com", "DELETE", ("repos", "octo", "hello"), "", frozenset()
    )
    assert match is not None
    assert (match.operation, match.parameters) == ("repos/delete", {"owner": "octo", "repo": "hello"})


def test_a_revision_names_the_text() -> None:
    assert revision_of("") == "e3b0c44298fc"
    assert len({revision_of(HEAD), revision_of(HEAD + "note\tx\n")}) == 2


@given(st.text() | st.text(alphabet="\t\nabcopat/{}+*?=&.,:").map(lambda text: HEAD + "at\ta.test\t/\n" + text + "\n"))
def test_any_text_is_refused_or_written_back_as_it_was(text: str) -> None:
    try:
        found = parse_facts(text)
    except BadFacts:
        return
    assert print_facts(found) == text
