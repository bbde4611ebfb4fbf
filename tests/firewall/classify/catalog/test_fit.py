import pytest

from firewall.classify.catalog.fit import fit, fit_plain, fits


def plain(*segments: str) -> dict[str, str] | None:
    """`repos/{owner}/{*repo}`."""
    return fit_plain("repos//", "", "1 owner/2*repo", segments)


def test_a_plain_plan_gives_the_values_of_its_parameters() -> None:
    assert plain("repos", "octo", "hello") == {"owner": "octo", "repo": "hello"}
    assert plain("repos", "octo", "a/b") == {"owner": "octo", "repo": "a/b"}
    assert fit_plain("user/", "", "", ("user", "")) == {}


@pytest.mark.parametrize(
    "segments",
    [
        ("repos", "octo"), ("repos", "octo", "hello", ""), ("Repos", "a", "b"), ("repos", "", "b"), ("repos", "a", ".."),
        ("repos", "a/b", "c"), ("repos", "a", "b/../c"), ("repos/", "a", "b"), ("repos", "a"), ("repos/a", "b"),
    ],
)  # fmt: skip
def test_a_path_that_is_another_fits_no_plain_plan(segments: tuple[str, ...]) -> None:
    assert plain(*segments) is None


def test_a_named_span_of_a_plain_plan_is_the_path_that_it_covers_without_the_verb() -> None:
    assert fit_plain("v1/projects/", "120name", "2 ", ("v1", "projects", "p")) == {"name": "projects/p"}
    assert fit_plain("v1//set:go", "123name", "1 ", ("v1", "p", "set:go")) == {"name": "p/set"}


def test_a_verb_stands_behind_the_last_colon() -> None:
    assert fit_plain("/:go", "", "0 a/1:b", ("x", "y:z:go")) == {"a": "x", "b": "y:z"}
    assert [fit_plain("/:go", "", "0 a/1:b", ("x", each)) for each in (":go", "y:gone", "y:go:", "y/z:go", "go")] == [None] * 5


@pytest.mark.parametrize(
    ("plan", "segments", "spans", "values"),
    [
        ("a/}{*key}", ("a", "x/y"), (), {"key": "x/y"}),
        ("a/}{+path}", ("a", "x", "y/z"), ((1, 3),), {"path": "x/y/z"}),
        ("a/}{+path}", ("a", "x", ""), ((1, 3),), {"path": "x/"}),
        ("a/}{+path}/b", ("a", "x", "y", "b"), ((1, 3),), {"path": "x/y"}),
        ("}{+path}:go", ("x", "y:go"), ((0, 2),), {"path": "x/y"}),
        ("}{name}:go", ("x:y:go",), (), {"name": "x:y"}),
        ("}{a}-{b}", ("x-y-z",), (), {"a": "x", "b": "y-z"}),
        ("}v{n}.{m}.json", ("v1.2.3.json",), (), {"n": "1", "m": "2.3"}),
    ],
)
def test_any_plan_gives_the_values_of_its_parameters(
    plan: str, segments: tuple[str, ...], spans: tuple[tuple[int, int], ...], values: dict[str, str]
) -> None:
    assert fit(plan, "", segments, spans) == values


def test_a_named_span_is_the_path_that_it_covers_without_the_verb() -> None:
    assert fit("v1/projects/{}", "120name", ("v1", "projects", "p"), ()) == {"name": "projects/p"}
    assert fit("v1/projects/}{}:go", "123name", ("v1", "projects", "p:go"), ()) == {"name": "projects/p"}


@pytest.mark.parametrize(
    ("plan", "segments", "spans"),
    [
        ("a/}{*key}", ("a", "x/../y"), ()),
        ("a/}{*key}", ("a", "/y"), ()),
        ("a/}{+path}", ("a", ""), ((1, 2),)),
        ("a/}{+path}", ("a", "x", "..", "y"), ((1, 4),)),
        ("a/}{+path}", ("a", "x", "", "y"), ((1, 4),)),
        ("a/}{+path}", ("a", "x", "y"), ((2, 3),)),
        ("a/}{+path}", ("a", "x", "y"), ((1, 2),)),
        ("a/}{+path}", ("a", "x", "y"), ()),
        ("a/{b}", ("a", "x"), ((1, 2),)),
        ("a/{b}/c", ("a", "x"), ()),
        ("}{+path}:go", ("x", ":go"), ((0, 2),)),
        ("}{name}:go", (":go",), ()),
        ("}{name}:go", ("x:gone",), ()),
        ("}{name}:go", ("x/y:go",), ()),
        ("}{name}.json", ("..json",), ()),
        ("}{a}-{b}", ("-x",), ()),
        ("}a{a}a", ("a",), ()),
        ("}a{a}a", ("aa",), ()),
    ],
)
def test_what_does_not_fit_gives_nothing(plan: str, segments: tuple[str, ...], spans: tuple[tuple[int, int], ...]) -> None:
    assert fit(plan, "", segments, spans) is None


def test_a_part_fits_one_segment() -> None:
    assert fits("{}.json", "a.json")
    assert not fits("{}.json", ".json")
    assert not fits("x{}", "ax")
