import re

import pytest

from firewall.globs import (
    host_glob,
    host_regex,
    host_suffix,
    method_glob,
    method_regex,
    path_glob,
    path_prefix,
    path_regex,
    resource_regex,
    text_glob,
    text_regex,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("API.GitHub.com", "api.github.com"),
        ("Bücher.DE", "xn--bcher-kva.de"),
        ("*.Example.com", "*.example.com"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.*.*", "10.0.*.*"),
        ("_dmarc.x", "_dmarc.x"),
    ],
)
def test_hosts_are_spelled_as_requests_carry_them(text: str, expected: str) -> None:
    assert host_glob(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "a..b", ".a", "a.", "a b", "x:80", "[::1]", "::1:x", "010.0.0.1", "127.1", "0x7f", "a/b", "https://a", "a?", "{a,b}",
     "***", "bü*r.de", "-a.b", "a" * 64, "a." * 127 + "bc", "user@a", "::ffff:*"],
)  # fmt: skip
def test_a_host_that_no_request_can_carry_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        host_glob(text)


@pytest.mark.parametrize(
    "text", ["x", "", "/a//b", "/a/../b", "/./a", "/a%20b", "/a?b", "/a#b", "/[ab]", "/a\nb", "/a\\b", " /a", "*/a"]
)
def test_a_path_that_no_request_can_have_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        path_glob(text)


@pytest.mark.parametrize("text", ["get", "GE T", "", "GET?"])
def test_a_method_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        method_glob(text)


@pytest.mark.parametrize("text", ["", "a?", "[ab]", "{a}", "a\\", " a", "a\n", "x" * 513])
def test_a_name_that_would_silently_match_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        text_glob(text)


def test_dots_and_signs_stand_for_themselves() -> None:
    assert not re.match(host_regex(["a.b"]), "axb")
    assert re.match(path_regex(["/x.y+(z)|$"]), "/x.y+(z)|$")
    assert not re.match(text_regex(["a|b"]), "a")


def test_stars_stop_where_they_should() -> None:
    assert re.match(host_regex(["*.x"]), "a.x")
    assert not re.match(host_regex(["*.x"]), "x")
    assert not re.match(host_regex(["*.x"]), "a.b.x")
    assert re.match(host_regex(["**.x"]), "a.b.x")
    assert not re.match(host_regex(["*"]), "2001:db8::1")
    assert not re.match(path_regex(["/a/*"]), "/a/b/c")
    assert re.match(path_regex(["/a/**"]), "/a/b\nc/d")


def test_a_method_is_matched_in_any_case() -> None:
    assert re.match(method_regex(["P*"]), "put")
    assert not re.match(method_regex(["P*"]), "get")


def test_the_literal_ends_by_which_rules_are_found() -> None:
    assert [host_suffix(glob) for glob in ("*.a.b", "**", "x.*", "a*.b")] == ["a.b", "", "", "b"]
    assert [path_prefix(glob, 2) for glob in ("/a/b/c", "/a/*", "/a*", "**", "/", "/a/**/c")] == [
        "/a/b",
        "/a",
        "",
        "",
        "/",
        "/a",
    ]
    assert path_prefix("/a/b", 0) == ""


@pytest.mark.parametrize(
    ("globs", "value", "every", "some"),
    [
        (("main",), "main", True, True),
        (("main",), "main,dev", False, True),
        (("main", "dev"), "main,dev", True, True),
        (("d*",), "dev,main", False, True),
        (("*",), "dev,main", True, True),
        (("dev*main",), "dev,main", False, True),
        (("dev,main",), "dev,main", True, True),
        (("main",), "domain", False, False),
        (("a.b",), "axb", False, False),
        (("*",), "", True, True),
    ],
)
def test_a_resource_that_is_a_list_is_allowed_whole_and_denied_by_any_part(
    globs: tuple[str, ...], value: str, every: bool, some: bool
) -> None:
    assert (re.search(resource_regex(globs, all_parts=True), value) is not None) is every
    assert (re.search(resource_regex(globs, all_parts=False), value) is not None) is some
