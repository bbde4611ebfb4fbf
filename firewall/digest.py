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
    b"accept accept-charset accept-encoding accept-language amz-sdk-invocation-id amz-sdk-request b3 baggage"
    b" client-request-id content-length date elastic-apm-traceparent expect grpc-timeout grpc-trace-bin host idempotency-key"
    b" newrelic paypal-request-id priority repeatability-first-sent repeatability-request-id request-id sec-websocket-key"
    b" sentry-trace traceparent tracestate uber-trace-id user-agent x-amz-date x-amz-user-agent x-amzn-trace-id x-b3-flags"
    b" x-b3-parentspanid x-b3-sampled x-b3-spanid x-b3-traceid x-client-request-id x-cloud-trace-context x-correlation-id"
    b" x-datadog-origin x-datadog-parent-id x-datadog-sampling-priority x-datadog-tags x-datadog-trace-id x-goog-api-client"
    b" x-goog-gcs-idempotency-token x-idempotency-key x-ms-client-request-id x-ms-correlation-request-id x-ms-date"
    b" x-newrelic-id x-newrelic-transaction x-request-id x-stripe-client-telemetry".split()
)
"""Fields that vary without changing what a request means, or that say what is digested elsewhere (Host, Content-Length);
version 1 of the list."""
VARYING_PREFIX = b"x-stainless-"

CREDENTIALS = frozenset(
    b"access-token api-key api-token apikey auth-token authentication authorization circle-token cookie dd-api-key"
    b" dd-application-key dpop job-token ocp-apim-subscription-key private-token signature signature-input token x-access-token"
    b" x-algolia-api-key x-amz-copy-source-server-side-encryption-customer-key x-amz-s3session-token x-amz-security-token"
    b" x-amz-server-side-encryption-customer-key x-api-key x-api-token x-apikey x-auth x-auth-key x-auth-token x-authorization"
    b" x-client-secret x-consul-token x-csrf-token x-figma-token x-functions-key x-gitlab-token x-goog-api-key"
    b" x-goog-copy-source-encryption-key x-goog-encryption-key x-goog-iam-authorization-token x-hasura-admin-secret x-mbx-apikey"
    b" x-ms-copy-source-authorization x-ms-encryption-key x-nomad-token x-parse-master-key x-parse-rest-api-key"
    b" x-postmark-server-token x-rapidapi-key x-secret-key x-sentry-auth x-session-token x-shopify-access-token"
    b" x-shopify-storefront-access-token x-subscription-token x-typesense-api-key x-user-token x-vault-token x-xsrf-token"
    b" xi-api-key".split()
)
"""Fields that enter as a keyed hash; version 1 of the list."""

SIGNATURES: Mapping[bytes, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {
    b"digest": (
        (b"username", b"realm", b"uri"),
        (b"algorithm", b"cnonce", b"nc", b"nonce", b"opaque", b"qop", b"response", b"userhash"),
    ),
    b"hawk": ((b"id", b"app", b"dlg", b"ext"), (b"hash", b"mac", b"nonce", b"ts")),
    b"oauth": (
        (b"oauth_consumer_key", b"oauth_token", b"realm"),
        (b"oauth_body_hash", b"oauth_nonce", b"oauth_signature", b"oauth_signature_method", b"oauth_timestamp", b"oauth_version"),
    ),
    b"signature": ((b"keyid",), (b"algorithm", b"created", b"expires", b"headers", b"signature")),
}
"""Schemes of Authorization that sign each request: the parameters that say whose signature it is, the first of which must be
there, and those that are the proof and differ each time. With any other parameter the field stands for itself; version 1."""

_SCOPED = re.compile(
    rb"([A-Z0-9]+(?:-[A-Z0-9]+)+) +Credential=([^/,; ]+)/(?:[0-9]{8}|[0-9]{4}-[0-9]{2}-[0-9]{2})/([^,; ]+)"
    rb", *SignedHeaders=[^,= ]+, *Signature=[0-9A-Za-z+/=]+"
)
_SHARED_KEY = re.compile(rb"(SharedKey(?:Lite)?) ([^: ]+):[0-9A-Za-z+/=]+")
_PAIR = re.compile(rb' *([A-Za-z_]+)=(?:"([^"\\]*)"|([^",; ]*)) *(?:,|\Z)')
_PAIRS = re.compile(rb"(?:" + _PAIR.pattern + rb")+")
_LABEL = rb"[a-z*][a-z0-9_.*-]*"
_LABELS = re.compile(_LABEL + rb"=:[A-Za-z0-9+/=]*:(?: *, *" + _LABEL + rb"=:[A-Za-z0-9+/=]*:)*")
_MEMBER = re.compile(
    rb"(" + _LABEL + rb')=\( *(?:"[^"\\]*"(?:;[a-z]+(?:="[^"\\]*")?)* *)*\)'
    rb'((?:; *(?:created|expires)=[0-9]+|; *(?:alg|keyid|nonce|tag)="[^"\\]*")*) *(?:, *|\Z)'
)
_MEMBERS = re.compile(rb"(?:" + _MEMBER.pattern + rb")+")
_INPUT = re.compile(rb'; *([a-z]+)=(?:"([^"\\]*)"|[0-9]+)')

_MULTIPART = re.compile(
    rb'(multipart/(?:form-data|mixed|related)[ \t]*;[ \t]*boundary=)(?:([0-9A-Za-z_.-]{1,70})|"([0-9A-Za-z_.=-]{1,70})")',
    re.IGNORECASE,
)

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
    meant by it: a Content-Type of the plain form with no other parameter (a charset could hide other delimiters), no
    Content-Encoding (which would hide the body), delimiters of the strict form (RFC 2046, section 5.1.1) from the first byte
    to the closing one, and the boundary nowhere else in the body. All else is hashed as it is.
    """
    described = [(name, value) for name, value in headers if name.replace(b"_", b"-") in (b"content-type", b"content-encoding")]
    form = _MULTIPART.fullmatch(described[0][1]) if len(described) == 1 and described[0][0] == b"content-type" else None
    if form is not None:
        boundary = form[2] or form[3]
        pieces = re.split(rb"\r\n--" + re.escape(boundary) + rb"(--(?=\r\n|\Z)|(?=\r\n))", b"\r\n" + body)
        framed = len(pieces) > 1 and pieces[0] == b"" and pieces[-2] == b"--"
        if framed and not any(boundary.lower() in piece.lower() for piece in pieces[::2]):
            headers = [(name, form[1] if name == b"content-type" else value) for name, value in headers]
            return headers, b"multipart", hashlib.sha256(_prefixed(pieces)).digest()
    return headers, b"raw", hashlib.sha256(body).digest()


# --- credentials --------------------------------------------------------------------------------------------------------


def _credential(name: bytes, value: bytes, key: bytes) -> bytes:
    return hmac.new(key, _prefixed([name, *_identity(name, value)]), hashlib.sha256).digest()


def _identity(name: bytes, value: bytes) -> list[bytes]:
    """Whose a credential is. A signature changes with every request; the key that makes it does not. What is not surely one
    of the forms below stands for itself."""
    if name == b"authorization":
        scoped = _SCOPED.fullmatch(value)
        if scoped is not None:
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
        return _inputs(value) or [b"value", value]
    return [b"value", value]


def _named(scheme: bytes, parameters: bytes) -> list[bytes] | None:
    """Name and value of the parameters that say whose a signature is, in the order of the list. None if any is unknown or
    comes twice, or the first is missing."""
    if scheme not in SIGNATURES or not _PAIRS.fullmatch(parameters):
        return None
    naming, proof = SIGNATURES[scheme]
    pairs = [(match[1].lower(), match[2] if match[2] is not None else match[3]) for match in _PAIR.finditer(parameters)]
    given = dict(pairs)
    if len(given) != len(pairs) or naming[0] not in given or not given.keys() <= {*naming, *proof}:
        return None
    return [b"signed", scheme, *(part for name in naming if name in given for part in (name, given[name]))]


def _inputs(value: bytes) -> list[bytes] | None:
    """Label, key and tag of each signature (RFC 9421, section 4.1). None if one has no key, or a parameter comes twice."""
    if not _MEMBERS.fullmatch(value):
        return None
    found = []
    for member in _MEMBER.finditer(value):
        pairs = [(match[1], match[2] or b"") for match in _INPUT.finditer(member[2])]
        given = dict(pairs)
        if len(given) != len(pairs) or b"keyid" not in given:
            return None
        found += [member[1], given[b"keyid"], given.get(b"tag", b"")]
    return [b"inputs", *found]
