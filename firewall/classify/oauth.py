"""OAuth 2.0 endpoints that clients ask themselves: token (RFC 6749, section 3.2; RFC 7523; RFC 8693), device authorization (RFC
8628), revocation (RFC 7009), introspection (RFC 7662), pushed requests (RFC 9126), registration (RFC 7591).

`oauth:token/client_credentials`. Secrets, codes, tokens, assertions and passwords never stand in what is shown.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from firewall.action import Kind
from firewall.classify.content_json import refuse_lookalikes
from firewall.classify.content_type import Unreadable
from firewall.classify.described import described
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.naming import cut, listed, name_of, shown

GRANTS: Final[Mapping[str, str]] = {
    "urn:ietf:params:oauth:grant-type:device_code": "device_code",
    "urn:ietf:params:oauth:grant-type:jwt-bearer": "jwt-bearer",
    "urn:ietf:params:oauth:grant-type:saml2-bearer": "saml2-bearer",
    "urn:ietf:params:oauth:grant-type:token-exchange": "token-exchange",
    "urn:openid:params:grant-type:ciba": "ciba",
}
"""Grant types that are URNs, by their last words; others stand as they are."""

_TOKEN: Final = frozenset({"token", "access_token", "tokens", "oauth2"})
_OTHERS: Final[Mapping[str, tuple[str, str, Kind]]] = {
    "revoke": ("revoke", "token", Kind.DELETE),
    "revocation": ("revoke", "token", Kind.DELETE),
    "introspect": ("introspect", "token", Kind.WRITE),
    "introspection": ("introspect", "token", Kind.WRITE),
    "token_info": ("introspect", "token", Kind.WRITE),
    "device_authorization": ("device_authorization", "client_id", Kind.WRITE),
    "devicecode": ("device_authorization", "client_id", Kind.WRITE),
    "device": ("device_authorization", "client_id", Kind.WRITE),
    "code": ("device_authorization", "client_id", Kind.WRITE),
    "par": ("pushed_authorization_request", "response_type", Kind.WRITE),
    "register": ("register", "redirect_uris", Kind.WRITE),
    "registration": ("register", "redirect_uris", Kind.WRITE),
}
"""Last segment → operation, the field by which it is known, and its kind."""

_ONCE: Final = frozenset(
    {"grant_type", "client_id", "scope", "token", "username", "redirect_uri", "client_secret", "code", "refresh_token", "assertion"}
)
"""What may stand once (RFC 6749, section 3.2)."""
_RESOURCE: Final = ("client_id", "scope", "audience", "resource")
_SHOWN: Final = (
    "username", "redirect_uri", "redirect_uris", "client_name", "token_type_hint", "requested_token_type", "subject_token_type",
    "response_type", "login_hint",
)  # fmt: skip
_JSON: Final = ("grant_type", *_RESOURCE, *_SHOWN, "token")


class OAuth:
    def wants_body(self, head: Subject) -> bool:
        return head.request.method == "POST" and _last(head) in (_TOKEN | _OTHERS.keys()) and not described(head)

    def __call__(self, subject: Subject) -> Meaning | None:
        if subject.request.method != "POST":
            return None
        last = _last(subject)
        fields = _fields(subject)
        if "grant_type" in fields and last not in _OTHERS:
            # Wherever a form with a grant type goes, a token comes back; with JSON the path has to say so too.
            if last not in _TOKEN and subject.content.form is None:
                return None
            return None if described(subject) else _read(subject, fields, None)
        if last in _OTHERS and _OTHERS[last][1] in fields and _is_oauth(subject, last):
            return None if described(subject) else _read(subject, fields, _OTHERS[last])
        return None


def _last(subject: Subject) -> str:
    segments = subject.request.segments
    return (segments[-1] or segments[-2:][0]).partition(";")[0].lower()


def _is_oauth(subject: Subject, last: str) -> bool:
    """Of words that other APIs have too, another one in the path must say what is meant."""
    before = [segment.lower() for segment in subject.request.segments[:-1]]
    said = any("oauth" in segment or segment in ("connect", "as", "openid-connect", "oidc") for segment in before)
    if last == "code":
        return "device" in before
    return said or last in ("introspect", "device_authorization", "devicecode", "par") or subject.request.host.startswith("oauth")


def _fields(subject: Subject) -> dict[str, list[str]]:
    """Of the body, and of the query, from which some servers read them too."""
    found, content = dict[str, list[str]](), subject.content
    for name, value in content.form or ():
        found.setdefault(name, []).append(value)
    if isinstance(content.json, dict):
        found = {name: [_text(content.json[name])] for name in _JSON if name in content.json}
    if found or "grant_type" in subject.request.query:
        for name, value in subject.query:
            found.setdefault(name, []).append(value)
    return found


def _text(value: Any) -> str:
    return " ".join(map(_text, value)) if isinstance(value, list) else value if isinstance(value, str) else shown(value)


def _read(subject: Subject, fields: Mapping[str, list[str]], other: tuple[str, str, Kind] | None) -> Meaning:
    try:
        return _meaning(subject, fields, other)
    except Unreadable as error:
        return Meaning(service="oauth", operation="unreadable", kind=Kind.UNKNOWN, details={"problem": cut(str(error), 300)})


def _meaning(subject: Subject, fields: Mapping[str, list[str]], other: tuple[str, str, Kind] | None) -> Meaning:
    """Raises Unreadable for what may stand once and stands twice."""
    if subject.content.problem:
        raise Unreadable(subject.content.problem)
    if isinstance(subject.content.json, dict):
        refuse_lookalikes(subject.content.json, _JSON)
    for name, values in fields.items():
        if name in _ONCE and len(values) > 1:
            raise Unreadable(f"{name} twice")
    resource = {name: _listed(name, fields[name]) for name in _RESOURCE if any(fields.get(name, ()))}
    client = _basic(subject)
    if client is not None and resource.setdefault("client_id", client) != client:
        raise Unreadable("two clients")
    if other is None:
        grant = fields["grant_type"][0]
        operation, kind = f"token/{name_of(GRANTS.get(grant, grant))}", Kind.WRITE
    else:
        operation, _, kind = other
    details = {name: cut(" ".join(fields[name]), 300) for name in _SHOWN if any(fields.get(name, ()))}
    return Meaning(service="oauth", operation=operation, kind=kind, resource=resource, details=details)


def _listed(name: str, values: list[str]) -> str:
    """Scopes stand in one text (RFC 6749, section 3.3); the others may be given several times. The client is one text."""
    return cut(values[0], 300) if name == "client_id" else listed(" ".join(values).split() if name == "scope" else values)


def _basic(subject: Subject) -> str | None:
    """The client that authenticates in the head (RFC 6749, section 2.3.1), without its secret."""
    scheme, _, given = (subject.field(b"authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        client = base64.b64decode(given.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, UnicodeDecodeError):
        return None
    return cut(client, 300) if client.isprintable() else None
