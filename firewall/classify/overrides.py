"""The methods that a request may be taken for instead of its own: many frameworks look at a field of the head, the query or a
form before they look at the request line. Rules on `methods` know of them (docs/policy.md)."""

import re

from firewall.action import Classified
from firewall.classify.meaning import Subject
from firewall.errors import Malformed

HEADERS = frozenset({b"x-http-method-override", b"x-http-method", b"x-method-override"})
"""Rails, Laravel, Symfony, Google's APIs; OData; Spring and others."""
FIELDS = frozenset({"_method", "x-http-method-override", "_httpmethod"})
"""Of a query or a form: Rails, Laravel, Symfony, method-override; ASP.NET and Express are told the second as well."""
UNREADABLE = "?"
"""Stands where fields may be that nobody could read. It is no method, and no rule can name it."""
LIMIT = 8
"""A request with more of them is refused: no client has a reason."""
LENGTH = 64

FORM = "application/x-www-form-urlencoded"
_NAMED = re.compile(r"(?:\A|&)[^=&]*(?:%|[Mm][Ee][Tt][Hh][Oo][Dd])")
"""A name in a query that may be one of these."""
_LENGTHS = frozenset(map(len, HEADERS))
_FIELDS = frozenset(name.replace("_", "-") for name in FIELDS)


def overrides(subject: Subject) -> tuple[str, ...]:
    """In capitals, each once, without the request's own; empty for nearly every request. Never raises."""
    request, found = subject.request, list[str]()
    for name, value in request.headers:
        # CGI and WSGI make one of - and _.
        if len(name) in _LENGTHS and name.lower().replace(b"_", b"-") in HEADERS:
            # Of several values joined into one field a server may take any.
            found += [part if part.strip() else UNREADABLE for part in value.decode("latin-1").split(",")]
    if request.query and _NAMED.search(request.query):
        try:
            found += _named(subject.query)
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


def _of_body(subject: Subject) -> list[str]:
    content, form = subject.content, subject.media_type == FORM
    found = _named(content.form or ())
    if isinstance(content.json, dict) and isinstance(content.json.get("_method"), str):  # Laravel
        found.append(content.json["_method"])
    # Of other bodies that are longer than what is read, the beginning has to do: those are uploads.
    if content.problem and content.structured and (form or not subject.request.truncated):
        found.append(UNREADABLE)
    return found


def _named(fields: tuple[tuple[str, str], ...]) -> list[str]:
    return [value for name, value in fields if name.strip().lower().replace("_", "-") in _FIELDS]
