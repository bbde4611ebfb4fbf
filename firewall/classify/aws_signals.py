"""Where a request to AWS says what it is: the scope of its signature, its target, its action, the path of an RPC.

Sources: Signature Version 4 (AWS General Reference, "Signing AWS API requests"); the protocols awsJson 1.0 and 1.1, awsQuery,
ec2Query and Smithy RPC v2 CBOR (Smithy specifications).
"""

import re
from urllib.parse import parse_qsl

from firewall.classify.content import MISSING
from firewall.classify.meaning import Subject

FORM = "application/x-www-form-urlencoded"
_CREDENTIAL = re.compile(r"Credential=([^,\s]*)", re.IGNORECASE)
_SCHEME = re.compile(r"\s*AWS4-[A-Z0-9-]+\s", re.IGNORECASE)
_SCOPE = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ACTIONS = 1000
_CLOSED = frozenset({"", "private", "bucket-owner-read", "bucket-owner-full-control"})
"""Canned ACLs that let in nobody but whom the storage belongs to."""


def scopes(subject: Subject) -> frozenset[str]:
    """The services that its signatures name, lower case: none if it is not signed (or not by version 4), and more than one only if
    it contradicts itself."""
    credentials = []
    for name, value in subject.request.headers:
        if name.lower() == b"authorization":
            text = value.decode("latin-1")
            if _SCHEME.match(text):
                credentials += _CREDENTIAL.findall(text) or [""]
    if subject.request.query:
        credentials += [value for name, value in subject.query if name.lower() == "x-amz-credential"]
    return frozenset(_scope(credential) for credential in credentials)


def _scope(credential: str) -> str:
    """`AKID/20260101/us-east-1/s3/aws4_request` → `s3`; version 4A leaves the region out. Empty for what is none."""
    parts = credential.replace("%2F", "/").replace("%2f", "/").split("/")
    if len(parts) < 4 or parts[-1] != "aws4_request" or not _SCOPE.fullmatch(parts[-2]):
        return ""
    return parts[-2].lower()


def targets(subject: Subject) -> tuple[str, ...]:
    """What `X-Amz-Target` says, in the head or (presigned) in the query."""
    found = [value.decode("latin-1").strip() for name, value in subject.request.headers if name.lower() == b"x-amz-target"]
    if "arget" in subject.request.query or "%" in subject.request.query:
        found += [value for name, value in subject.query if name.lower() == "x-amz-target"]
    return tuple(dict.fromkeys(found))


def actions(subject: Subject, *, in_body: bool = True) -> tuple[str, ...]:
    """What `Action` says in the query and in the body, each word once, whatever the body calls itself. Raises ValueError for a body
    that may hold another one and cannot be read."""
    fields = list(subject.query)
    if in_body and subject.request.body:
        content = subject.content
        if content.form is not None and not content.problem:
            fields += content.form
        elif content.problem and subject.media_type == FORM:
            raise ValueError("a form that cannot be read")
        elif content.json is MISSING:
            fields += parse_qsl(content.data.decode("latin-1"), keep_blank_values=True, max_num_fields=_ACTIONS)
    return tuple(dict.fromkeys(value for name, value in fields if name.lower() == "action"))


def header_names(subject: Subject) -> frozenset[bytes]:
    """Lower case. A presigned request may carry header fields in its query."""
    names = {name.lower() for name, _ in subject.request.headers}
    if "-" in subject.request.query:
        names |= {name.lower().encode() for name, _ in subject.query if name.lower().startswith("x-amz-")}
    return frozenset(names)


def opens_up(subject: Subject) -> str:
    """To whom what is written to S3 is given in the same breath, as it says so; empty where to nobody: an ACL beside the object or
    bucket ("Access control list overview", "Canned ACL"), in the head or (presigned) in the query."""
    query = subject.query if "-" in subject.request.query else ()
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in subject.request.headers]
    for name, value in (*fields, *query):
        lower = name.lower()
        if lower.startswith("x-amz-grant-") or (lower == "x-amz-acl" and value.strip().lower() not in _CLOSED):
            return f"{lower}: {value.strip()}"[:300]
    return ""
