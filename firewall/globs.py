"""Globs of the policy document, checked and turned into regular expressions of RE2, the kind that OPA runs in linear time.

`*` is the only special character. In hosts it stays within a label and `**` crosses labels, in paths it stays within a segment
and `**` crosses segments; elsewhere `*` is any text. What other globs give a meaning (`?`, `[`, `{`, `\\`) is refused: taken
literally, it would silently match nothing.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address

import idna

MAX_LENGTH = 512

_RESERVED = "?[]{}\\"
_METHOD = re.compile(r"[A-Z0-9!#$%&'*+.^_`|~-]+")
_LABEL = re.compile(r"[a-z0-9_*]([a-z0-9_*-]*[a-z0-9_*])?")


def text_glob(text: str) -> str:
    """A glob over names (agents, services, operations). Raises ValueError."""
    _check(text)
    return text


def method_glob(text: str) -> str:
    _check(text)
    if not _METHOD.fullmatch(text):
        raise ValueError(f"{text!r}: methods are written in capitals, as in {text.upper()}")
    return text


def path_glob(text: str) -> str:
    """A glob over the canonical, decoded path. Raises ValueError for what no canonical path can match."""
    _check(text)
    if not text.startswith(("/", "**")):
        raise ValueError(f"{text!r}: a path begins with /")
    if "//" in text or any(segment in {".", ".."} for segment in text.split("/")):
        raise ValueError(f"{text!r}: // and dot segments never reach a rule")
    if "#" in text or re.search(r"%[0-9A-Fa-f]{2}", text):
        raise ValueError(
            f"{text!r}: rules see the decoded path, so write the character itself; a query or fragment is no part of it"
        )
    return text


def host_glob(text: str) -> str:
    """A host as requests carry it: case-folded A-labels, or an address in its canonical text. Raises ValueError."""
    _check(text)
    if ":" in text or text.startswith("["):
        if text.count(":") == 1 or text.startswith("["):
            raise ValueError(f"{text!r}: a host stands alone, without port and brackets")
        return _address(text)
    labels = [_label(label, text) for label in text.split(".")]
    if labels[-1].isdigit() or (labels[-1].startswith("0x") and "*" not in text):
        return _address(text) if "*" not in text else ".".join(labels)
    if len(".".join(labels)) > 253:
        raise ValueError(f"{text!r}: longer than a host name can be")
    return ".".join(labels)


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise ValueError(
            f"{text!r}: not an address; name an IPv6 address whole, an IPv4 address with four decimal numbers"
        ) from None


def _label(label: str, host: str) -> str:
    if not label.isascii():
        if "*" in label:
            raise ValueError(f"{host!r}: put * in a label of its own, or write the label in its xn-- form")
        try:
            label = idna.encode(label, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{host!r}: {error}") from None
    label = label.lower()
    if not _LABEL.fullmatch(label) or len(label) > 63:
        raise ValueError(f"{host!r}: {label!r} is not a label of a host name" if label else f"{host!r}: an empty label")
    return label


def _check(text: str) -> None:
    if not text:
        raise ValueError("empty text matches nothing")
    if len(text) > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} characters")
    if text != text.strip() or not text.isprintable():
        raise ValueError(f"{text!r}: blanks at the ends or characters that do not print")
    if "***" in text:
        raise ValueError(f"{text!r}: * and ** are the globs")
    for character in text:
        if character in _RESERVED:
            raise ValueError(f"{text!r}: only * is special, and {character} can stand for nothing here: use *")


def is_glob(text: str) -> bool:
    return "*" in text


def text_regex(globs: Iterable[str]) -> str:
    return _regex(globs, ".*", ".*")


def method_regex(globs: Iterable[str]) -> str:
    """In any case: an upstream may take `delete` for DELETE."""
    return "(?i)" + _regex(globs, ".*", ".*")


def resource_regex(globs: Iterable[str], *, all_parts: bool) -> str:
    """Over the value of a resource, which may be a list whose parts are joined with commas. `all_parts`: each must match, and `*`
    does not reach from one into the next; else any one will do, or several side by side, for a part may hold a comma itself."""
    one = "[^,]*" if all_parts else ".*"
    part = "(?:" + "|".join(_alternative(glob, one, one) for glob in sorted(set(globs))) + ")"
    return f"(?s)^{part}(?:,{part})*$" if all_parts else f"(?s)(?:^|,){part}(?:,|$)"


def host_regex(globs: Iterable[str]) -> str:
    # An IPv6 address has no labels, so * is no part of one.
    return _regex(globs, "[^.:]*", ".*")


@lru_cache(maxsize=256)
def host_pattern(globs: tuple[str, ...]) -> "re.Pattern[str]":
    """The same for Python; use `fullmatch`. No glob at all matches nothing."""
    return re.compile(host_regex(globs)) if globs else re.compile(r"(?!)")


def path_regex(globs: Iterable[str]) -> str:
    return _regex(globs, "[^/]*", ".*")


def _regex(globs: Iterable[str], one: str, many: str) -> str:
    """Anchored at both ends; `(?s)`, because a decoded path may hold a line end."""
    return "(?s)^(?:" + "|".join(_alternative(glob, one, many) for glob in sorted(set(globs))) + ")$"


def _alternative(glob: str, one: str, many: str) -> str:
    parts = re.split(r"(\*\*|\*)", glob)
    return "".join(many if part == "**" else one if part == "*" else _quote(part) for part in parts)


def _quote(text: str) -> str:
    """RE2 takes a backslash before ASCII punctuation only."""
    return "".join(c if c.isalnum() or c in "-_/:@ " or not c.isascii() else "\\" + c for c in text)


def host_suffix(glob: str) -> str:
    """The literal labels at the end of a host glob (`api-*.example.com` → `example.com`), by which rules are found."""
    labels: list[str] = []
    for label in reversed(glob.split(".")):
        if "*" in label:
            break
        labels.append(label)
    return ".".join(reversed(labels))


def path_prefix(glob: str, depth: int) -> str:
    """The literal segments, at most `depth`, at the beginning of a path glob: `/repos/o/**` → `/repos/o`, `/re*` → nothing."""
    segments = glob.split("/")[1:] if glob.startswith("/") else []
    literal: list[str] = []
    for segment in segments[:depth]:
        if "*" in segment:
            break
        literal.append("/" + segment)
    return "".join(literal)
