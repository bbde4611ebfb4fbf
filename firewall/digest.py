"""The digest that binds an approval to a request: version 1, fixed for ever (docs/digest.md, tests/vectors/digest.json)."""

import hashlib
import hmac
import re
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from firewall import jcs
from firewall.request import Request

VERSION = b"aaf-digest/v1\n"
DIGEST_KEY = "aaf/digest-credentials/v1"
"""What the key of the credentials' hash is derived for."""

VARYING = frozenset(
    b"accept accept-charset accept-encoding accept-language amz-sdk-invocation-id amz-sdk-request b3 baggage client-request-id"
    b" content-length date elastic-apm-traceparent expect grpc-trace-bin host idempotency-key newrelic priority sentry-trace"
    b" traceparent tracestate uber-trace-id user-agent x-amz-date x-amz-user-agent x-amzn-trace-id x-b3-flags x-b3-parentspanid"
    b" x-b3-sampled x-b3-spanid x-b3-traceid x-client-request-id x-cloud-trace-context x-correlation-id x-datadog-origin"
    b" x-datadog-parent-id x-datadog-sampling-priority x-datadog-tags x-datadog-trace-id x-goog-api-client"
    b" x-goog-gcs-idempotency-token x-ms-client-request-id x-ms-date x-newrelic-id x-newrelic-transaction x-request-id".split()
)
"""Fields that vary without changing what a request means, or that say what is digested elsewhere (Host, Content-Length);
version 1 of the list."""
VARYING_PREFIX = b"x-stainless-"

CREDENTIALS = frozenset(
    b"api-key apikey authorization cookie dd-api-key dd-application-key job-token ocp-apim-subscription-key private-token signature"
    b" signature-input x-access-token x-algolia-api-key x-amz-security-token x-api-key x-api-token x-auth-key x-auth-token"
    b" x-consul-token x-csrf-token x-figma-token x-functions-key x-gitlab-token x-goog-api-key x-goog-iam-authorization-token"
    b" x-nomad-token x-postmark-server-token x-rapidapi-key x-session-token x-shopify-access-token x-vault-token x-xsrf-token"
    b" xi-api-key".split()
)
"""Fields that enter as a keyed hash; version 1 of the list."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCOPED = re.compile(
    rb"([A-Z0-9]+(?:-[A-Z0-9]+)+) +Credential=([^/,; ]+)/(?:[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})/([^,; ]+)(?:[,; ].*)?"
)
_SHARED_KEY = re.compile(rb"(SharedKey(?:Lite)?) ([^: ]+):[^: ]+")
_SIGNATURES: Mapping[bytes, tuple[bytes, ...]] = {
    b"signature": (b"keyid",),
    b"oauth": (b"oauth_consumer_key", b"oauth_token"),
    b"digest": (b"realm", b"username"),
    b"hawk": (b"id",),
}
"""Schemes of Authorization that sign each request, and the parameters that name the key; version 1 of the list."""
_PAIR = re.compile(rb' *([A-Za-z_]+)=(?:"([^"\\]*)"|([^", ]*)) *(?:,|\Z)')
_PAIRS = re.compile(rb'(?: *[A-Za-z_]+=(?:"[^"\\]*"|[^", ]*) *(?:,|\Z))+')
_LABELS = re.compile(rb"([a-z*][a-z0-9_.*-]*)=:[A-Za-z0-9+/=]*:(?: *, *([a-z*][a-z0-9_.*-]*)=:[A-Za-z0-9+/=]*:)*")
_KEYID = re.compile(rb';keyid="([^"\\]*)"')

_PARAMETER = re.compile(rb"[ \t]*;[ \t]*(" + _TOKEN + rb")=(?:(" + _TOKEN + rb')|"([^"\\]*)")')
_MULTIPART = re.compile(
    rb"multipart/" + _TOKEN + rb"((?:[ \t]*;[ \t]*" + _TOKEN + rb"=(?:" + _TOKEN + rb'|"[^"\\]*"))+)', re.IGNORECASE
)
_BOUNDARY = re.compile(rb"[0-9A-Za-z_.=-]{1,70}")

Field = tuple[bytes, bytes]


def is_credential(name: bytes) -> bool:
    return name.lower() in CREDENTIALS


def digest(request: Request, *, agent_id: str, body: bytes, key: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits. `body`: the whole of it, as it is sent; `key`: 32 bytes, derived for DIGEST_KEY."""
    headers = [(name.lower(), value.strip(b" \t")) for name, value in request.headers]
    headers, kind, body_hash = _body(headers, body)
    entering = [
        (name, _credential(name, value, key) if name in CREDENTIALS else value) for name, value in headers if not _varies(name)
    ]
    entering.sort(key=lambda field: field[0])  # by name alone: fields of one name keep their order, which may have a meaning
    fields = [
        agent_id.encode(),
        request.method.encode(),
        request.scheme.encode(),
        request.host.encode(),
        str(request.port).encode(),
        request.target,
        str(len(entering)).encode(),
        *(part for field in entering for part in field),
        kind,
        body_hash,
    ]
    return "sha256:" + hashlib.sha256(VERSION + _prefixed(fields)).hexdigest()


def digest_api(*, agent_id: str, tool: str, operation: str, params: Mapping[str, Any], key: bytes) -> str:
    """The digest of an action that was submitted by API: method `API`, the operation as target, canonical JSON as body.
    Raises ValueError for parameters without a canonical form."""
    body = hashlib.sha256(jcs.text(dict(params)).encode()).digest()
    fields = [agent_id.encode(), b"API", b"api", tool.encode(), b"0", operation.encode(), b"0", b"raw", body]
    return "sha256:" + hashlib.sha256(VERSION + _prefixed(fields)).hexdigest()


def _prefixed(fields: Iterable[bytes]) -> bytes:
    return b"".join(struct.pack(">Q", len(field)) + field for field in fields)


def _varies(name: bytes) -> bool:
    return name in VARYING or name.startswith(VARYING_PREFIX)


# --- bodies -------------------------------------------------------------------------------------------------------------


def _body(headers: list[Field], body: bytes) -> tuple[list[Field], bytes, bytes]:
    """The header fields, what kind of hash stands for the body, and the hash.

    A multipart boundary is a name that the sender made up, so it is left out of both, but only where nothing else could be
    meant by it: one Content-Type of a plain form, and the boundary nowhere in the body but in delimiters of the strict form
    (RFC 2046, section 5.1.1). All else is hashed as it is.
    """
    types = [value for name, value in headers if name == b"content-type"]
    found = _boundary(types[0]) if len(types) == 1 else None
    if found is not None:
        boundary = found[2] or found[3]
        pieces = re.split(rb"\r\n--" + re.escape(boundary) + rb"(--(?=\r\n|\Z)|(?=\r\n))", b"\r\n" + body)
        if not any(boundary.lower() in piece.lower() for piece in pieces[::2]):
            without = types[0][: found.end(1) + 1] + types[0][found.end() :]
            headers = [(name, without if name == b"content-type" else value) for name, value in headers]
            return headers, b"multipart", hashlib.sha256(_prefixed(pieces)).digest()
    return headers, b"raw", hashlib.sha256(body).digest()


def _boundary(content_type: bytes) -> re.Match[bytes] | None:
    """The parameter, where there is exactly one way to read it."""
    if not _MULTIPART.fullmatch(content_type):
        return None
    found = [match for match in _PARAMETER.finditer(content_type) if match[1].lower().startswith(b"boundary")]
    if len(found) != 1 or found[0][1].lower() != b"boundary" or not _BOUNDARY.fullmatch(found[0][2] or found[0][3] or b""):
        return None
    return found[0]


# --- credentials --------------------------------------------------------------------------------------------------------


def _credential(name: bytes, value: bytes, key: bytes) -> bytes:
    return hmac.new(key, _prefixed([name, *_identity(name, value)]), hashlib.sha256).digest()


def _identity(name: bytes, value: bytes) -> list[bytes]:
    """Whose a credential is. A signature changes with every request; the key that makes it does not. What is not surely one
    of the forms below stands for itself."""
    if name == b"authorization":
        scoped = _SCOPED.fullmatch(value)
        if scoped is not None and value.count(b"Credential=") == 1:
            return [b"scoped", scoped[1], scoped[2], scoped[3]]
        shared = _SHARED_KEY.fullmatch(value)
        if shared is not None:
            return [b"shared-key", shared[1], shared[2]]
        scheme, _, rest = value.partition(b" ")
        return _named(scheme.lower(), rest) or [b"value", value]
    if name == b"signature":  # RFC 9421; before it, the same parameters as in Authorization
        if _LABELS.fullmatch(value):
            return [b"labels", *(label.split(b"=")[0].strip() for label in value.split(b","))]
        return _named(b"signature", value) or [b"value", value]
    if name == b"signature-input":
        keys = _KEYID.findall(value)
        if keys and len(keys) == value.count(b"=("):
            return [b"keys", *keys]
    return [b"value", value]


def _named(scheme: bytes, parameters: bytes) -> list[bytes] | None:
    """The parameters that name the key of a signature, where each of them comes once."""
    wanted = _SIGNATURES.get(scheme)
    if wanted is None or not _PAIRS.fullmatch(parameters):
        return None
    pairs = [(match[1].lower(), match[2] if match[2] is not None else match[3]) for match in _PAIR.finditer(parameters)]
    found = [value for name in wanted for given, value in pairs if given == name]
    return [b"signed", scheme, *found] if len(found) == len(wanted) == len({name for name, _ in pairs} & {*wanted}) else None
