"""The digest that binds an approval to a request (docs/digest.md, version 1)."""

import hashlib
import hmac
import re
import struct
from collections.abc import Mapping
from typing import Any

from firewall.audit.entry import canonical
from firewall.request import Request

VERSION = b"aaf-digest/v1\n"
DIGEST_KEY = "aaf/digest-credentials/v1"
"""What the key of the credentials' hash is derived for."""

VARYING = frozenset(
    {
        b"user-agent",
        b"accept",
        b"accept-charset",
        b"accept-encoding",
        b"accept-language",
        b"content-length",
        b"date",
        b"expect",
        b"host",
        b"idempotency-key",
        b"prefer",
        b"priority",
        b"x-amz-date",
        b"amz-sdk-invocation-id",
        b"amz-sdk-request",
        b"baggage",
        b"traceparent",
        b"tracestate",
        b"x-b3-spanid",
        b"x-b3-traceid",
        b"x-b3-sampled",
        b"x-request-id",
        b"x-correlation-id",
        b"x-cloud-trace-context",
        b"x-datadog-trace-id",
        b"x-datadog-parent-id",
        b"x-amzn-trace-id",
    }
)
"""Fields that vary without changing what a request means; version 1 of the list. `x-stainless-*` belongs to it too."""
VARYING_PREFIX = b"x-stainless-"

CREDENTIALS = frozenset(
    {
        b"authorization",
        b"cookie",
        b"x-api-key",
        b"api-key",
        b"apikey",
        b"x-auth-token",
        b"x-access-token",
        b"x-goog-api-key",
        b"x-amz-security-token",
        b"private-token",
        b"x-vault-token",
        b"x-csrf-token",
        b"dd-api-key",
        b"dd-application-key",
    }
)
"""Fields that enter as a keyed hash; version 1 of the list."""

_AWS4 = re.compile(rb"AWS4-[A-Z0-9-]+ +Credential=([^/, ]+)/[0-9]{8}/([^, ]+)")
_SIGNATURE = re.compile(rb"Signature .*?keyId=\"([^\"]*)\"", re.IGNORECASE)
_BOUNDARY = re.compile(rb";\s*boundary=(?:\"([^\"]{1,70})\"|([^\s;\"]{1,70}))", re.IGNORECASE)


def is_credential(name: bytes) -> bool:
    return name.lower() in CREDENTIALS


def digest(request: Request, *, agent_id: str, body_sha256: bytes, key: bytes) -> str:
    """`sha256:` and 64 hexadecimal digits. `body_sha256`: what `body_hash` says of the body, 32 bytes."""
    fields = [
        agent_id.encode(),
        request.method.encode(),
        request.scheme.encode(),
        request.host.encode(),
        str(request.port).encode(),
        request.target,
    ]
    headers = sorted(_digested(name.lower(), value, key) for name, value in request.headers if not _varies(name.lower()))
    fields.append(str(len(headers)).encode())
    for name, value in headers:
        fields += (name, value)
    fields.append(body_sha256)
    return _hash(fields)


def digest_api(*, agent_id: str, tool: str, operation: str, params: Mapping[str, Any], key: bytes) -> str:
    """The digest of an action that was submitted by API: method `API`, the operation as target, canonical JSON as body."""
    body = hashlib.sha256(canonical(dict(params))).digest()
    return _hash([agent_id.encode(), b"API", b"api", tool.encode(), b"0", operation.encode(), b"0", body])


def body_hash(body: bytes, content_type: str) -> bytes:
    """SHA-256 of the body; of a multipart body, with its boundary normalised."""
    match = _BOUNDARY.search(content_type.encode("latin-1", "replace")) if content_type.lower().startswith("multipart/") else None
    if match is None:
        return hashlib.sha256(body).digest()
    delimiter = b"--" + (match[1] or match[2])
    lines = body.split(b"\r\n")
    normalised = [
        b"--aaf-boundary" + line[len(delimiter) :] if line in (delimiter, delimiter + b"--") else line for line in lines
    ]
    return hashlib.sha256(b"\r\n".join(normalised)).digest()


def _varies(name: bytes) -> bool:
    return name in VARYING or name.startswith(VARYING_PREFIX)


def _digested(name: bytes, value: bytes, key: bytes) -> tuple[bytes, bytes]:
    value = value.strip(b" \t")
    if name in CREDENTIALS:
        return name, hmac.new(key, name + b"\n" + _identity(value), hashlib.sha256).digest()
    if name == b"content-type" and value.lower().startswith(b"multipart/"):
        return name, _BOUNDARY.sub(b"; boundary=aaf-boundary", value)
    return name, value


def _identity(value: bytes) -> bytes:
    """Whose a credential is: signatures change with every request, the key that makes them does not."""
    aws = _AWS4.match(value)
    if aws is not None:
        return b"AWS4 " + aws[1] + b" " + aws[2]
    signature = _SIGNATURE.match(value)
    if signature is not None:
        return b"Signature " + signature[1]
    return value


def _hash(fields: list[bytes]) -> str:
    sha = hashlib.sha256(VERSION)
    for field in fields:
        sha.update(struct.pack(">Q", len(field)))
        sha.update(field)
    return "sha256:" + sha.hexdigest()
