"""The methods that a request may be taken for instead of its own: many frameworks look at a field of the head, the query or a
form before they look at the request line. Rules on `methods` know of them (docs/policy.md)."""

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

from firewall.action import Classified
from firewall.classify.content import MISSING
from firewall.classify.meaning import QUERY_FIELDS, Subject
from firewall.errors import Malformed

HEADERS = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""Rails, Laravel, Symfony, Google's APIs; OData; Spring and others."""
FIELDS = frozenset({"_method", "x-http-method-override", "_httpmethod", "$httpmethod"})
"""Of a query or a form: Rails, Laravel, Symfony, method-override; ASP.NET and Express are told the second as well; Google's APIs
the last."""
GRAPH_API: Final = re.compile(r"graph(?:-video)?\.(?:facebook|instagram|threads)\.(?:com|net)")
"""Hosts that take `method=delete` for another method."""
UNREADABLE = "?"
"""Stands where fields may be that nobody could read. It is no method, and no rule can name it."""
LIMIT = 8
"""A request with more of them is refused: no client has a reason."""
LENGTH = 64

FORM = "application/x-www-form-urlencoded"
_NAMED = re.compile(r"(?:\A|[&;])[^=&;]*(?:%|method|httph)", re.IGNORECASE)
"""A name in a query that may be one of these."""
_LENGTHS = frozenset(map(len, HEADERS))
_FIELDS = frozenset(name.replace("_", "-") for name in FIELDS)
_MANGLED = str.maketrans(" ._[", "----")
"""PHP makes `_` of the first, the second and the last, and ends a name at a NUL."""
_PUNCTUATION = bytes(byte if chr(byte).isalnum() else ord("-") for byte in range(256))
"""CGI, WSGI and old Apaches make one character of them in a header field's name."""
_HEADERS_TOLD = "$httpheaders"
"""By which Google's APIs are told header fields in a query."""
_MAY_NAME = re.compile(rb"method|%", re.IGNORECASE)
_UNTYPED = re.compile(rb"(?:\A|[&;])([^=&;]{1,100})=([^&;]{0,100})")


def overrides(subject: Subject) -> tuple[str, ...]:
    """In capitals, each once, without the request's own; empty for nearly every request. Never raises."""
    request, found = subject.request, list[str]()
    for name, value in request.headers:
        if len(name) in _LENGTHS and is_override(name):
            # Of several values joined into one field a server may take any.
            found += [part if part.strip() else UNREADABLE for part in value.decode("latin-1").split(",")]
    if request.query and _NAMED.search(request.query):
        try:
            found += _named(subject, _of_query(subject))
        except ValueError:
            found.append(UNREADABLE)
    if request.body:
        found += _of_body(subject)
    if not found:
        return ()
    methods = dict.fromkeys(text.strip().upper()[:LENGTH] for text in found)
    return tuple(method for method in methods if method and method != request.method.upper())


def refuse_overrides(classified: Classified) -> None:
    """Raises Malformed for more of them than are judged one by one."""
    if len(classified.overrides) > LIMIT:
        raise Malformed(f"the request asks to be taken for more than {LIMIT} other methods")


def is_override(name: bytes) -> bool:
    """Whether a server may take this header field for one of them."""
    return name.lower().translate(_PUNCTUATION) in HEADERS


def _of_query(subject: Subject) -> Iterable[tuple[str, str]]:
    query = subject.request.query
    yield from subject.query
    if ";" in query:  # which some servers take for &
        yield from parse_qsl(query.replace("&", ";"), keep_blank_values=True, max_num_fields=QUERY_FIELDS, separator=";")


def _of_body(subject: Subject) -> list[str]:
    content, form = subject.content, subject.media_type == FORM
    found = _named(subject, content.form or ())
    if content.form is None and content.parts:  # Rack reads them as a form
        found += _named(subject, ((part.name, part.data[:LENGTH].decode("latin-1")) for part in content.parts))
    elif not subject.media_type and content.json is MISSING and _MAY_NAME.search(content.data):  # so does it with no type at all
        found += _named(subject, (_unescaped(match) for match in _UNTYPED.finditer(content.data)))
    if isinstance(content.json, dict) and isinstance(content.json.get("_method"), str):  # Laravel
        found.append(content.json["_method"])
    # Of other bodies that are longer than what is read, the beginning has to do: those are uploads.
    if content.problem and content.structured and (form or not subject.request.truncated):
        found.append(UNREADABLE)
    return found


def _unescaped(field: re.Match[bytes]) -> tuple[str, str]:
    return unquote_plus(field[1].decode("latin-1")), unquote_plus(field[2].decode("latin-1"))


def _named(subject: Subject, fields: Iterable[tuple[str, str]]) -> list[str]:
    found, graph = list[str](), GRAPH_API.fullmatch(subject.request.host) is not None
    for name, value in fields:
        plain = name.partition("\0")[0].strip().lower().translate(_MANGLED)
        if plain in _FIELDS or (graph and plain == "method"):
            found.append(value)
        elif plain == _HEADERS_TOLD and "method" in value.lower():
            found.append(UNREADABLE)
    return found
