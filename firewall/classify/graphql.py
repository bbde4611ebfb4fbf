"""GraphQL over HTTP (the GraphQL-over-HTTP draft; GET, JSON, application/graphql, forms; the multipart request specification;
Apollo's batches and persisted queries).

`mutation/createIssue`, `query/viewer`; several root fields stand as `mutation/{closeIssue,createIssue}`, so that a rule for
`mutation/create*` speaks of no other. A query by POST is a read only where the vendor's endpoint was reviewed, or where the
operator names the host (`dialects: {graphql: [...]}`).
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from firewall.action import Kind, stricter_kind
from firewall.classify.content import MISSING
from firewall.classify.content_json import read_json, refuse_lookalikes
from firewall.classify.content_type import Unreadable
from firewall.classify.described import described
from firewall.classify.graphql_document import Operation, read_document
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.members import only
from firewall.classify.naming import cut, listed, shown, together

BATCH: Final = 100

ENDPOINTS: Final = (
    ("github", re.compile(r"api\.github\.com/graphql")),
    ("gitlab", re.compile(r"gitlab\.com/api/graphql")),
    ("shopify", re.compile(r"[a-z0-9-]+\.myshopify\.com/(?:admin/)?api/[a-z0-9-]+/graphql\.json")),
    ("linear", re.compile(r"api\.linear\.app/graphql")),
    ("monday", re.compile(r"api\.monday\.com/v2")),
)
"""Reviewed: here queries change nothing. Service, and its host and path."""

_ENDS: Final = frozenset({"graphql", "graphql.json", "gql"})
_VENDORS_ENDS: Final = frozenset({"graphql", "graphql.json", "v2"})
_TYPES: Final = frozenset({"application/graphql", "application/graphql+json"})
_PERSISTED: Final = ("documentId", "doc_id", "queryId", "queryHash", "id", "hash")
_MEMBERS: Final = ("query", "operationName", "variables", "extensions", *_PERSISTED)
_FOLDED: Final = frozenset(name.casefold() for name in _MEMBERS)
_TELLING: Final = frozenset({"query", "extensions", "documentid", "doc_id", "queryid", "queryhash"})
"""Members by which a request is known for GraphQL where its path does not say so; case-folded."""
_HASH = re.compile(r"[A-Za-z0-9_.:/+=-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request. `operations`: the one that will run, or all that may."""

    operations: tuple[Operation, ...]
    persisted: str = ""
    document: str = ""
    variables: Any = None

    @property
    def kind(self) -> Kind:
        kind = Kind.UNKNOWN if self.persisted else Kind.READ
        for operation in self.operations:
            kind = stricter_kind(kind, operation.kind)
        return kind

    @property
    def names(self) -> Iterable[str]:
        if self.persisted:
            yield f"persisted/{self.persisted}"
        for operation in self.operations:
            yield f"{operation.type}/{together(operation.fields)}"


class GraphQL:
    def wants_body(self, head: Subject) -> bool:
        return head.request.method == "POST" and _spoken(head)

    def __call__(self, subject: Subject) -> Meaning | None:
        request = subject.request
        if request.method not in ("GET", "POST") or (request.method == "GET" and not request.query) or not _spoken(subject):
            return None
        try:
            asked = _of_query(subject) if request.method == "GET" else _of_body(subject)
            return None if asked is None else _meaning(subject, asked)
        except Unreadable as error:
            return Meaning(
                service=_service(subject) or "graphql",
                operation="unreadable",
                kind=Kind.UNKNOWN,
                details={"problem": cut(str(error), 300)},
            )


def _spoken(subject: Subject) -> bool:
    named = _placed(subject) or subject.known.speaks("graphql", subject.request.host)
    return named and not described(subject)


def _placed(subject: Subject) -> bool:
    """Whether nothing but GraphQL is expected there."""
    return _last(subject) in _ENDS or subject.media_type in _TYPES or bool(_service(subject))


def _last(subject: Subject) -> str:
    segments = subject.request.segments
    return (segments[-1] or segments[-2:][0]).partition(";")[0].lower()


def _tells(subject: Subject, names: Iterable[str]) -> bool:
    return not {name.casefold() for name in names}.isdisjoint(_FOLDED if _placed(subject) else _TELLING)


def _service(subject: Subject) -> str:
    """The vendor's, at its own reviewed endpoint; else empty."""
    request = subject.request
    if request.segments[-1] not in _VENDORS_ENDS:
        return ""
    place = f"{request.host}{request.path}"
    return next((service for service, endpoint in ENDPOINTS if endpoint.fullmatch(place)), "")


def _of_query(subject: Subject) -> list[_Asked] | None:
    fields = _once(subject.query)
    if not _tells(subject, fields):
        return None
    members: dict[str, Any] = {name: fields[name] for name in _MEMBERS if name in fields}
    for name in ("variables", "extensions"):
        if members.get(name):
            members[name] = read_json(members[name].encode())
    return [_asked(members)]


def _of_body(subject: Subject) -> list[_Asked] | None:
    content = subject.content
    if content.problem:
        raise Unreadable(content.problem)
    if any(name in _MEMBERS for name, _ in subject.query):
        raise Unreadable("GraphQL in the query and in the body")  # some servers go by the one, some by the other
    if subject.media_type == "application/graphql" and content.json is MISSING:
        return [_asked({"query": _text(content.data)})]
    if content.json is not MISSING:
        return _of_json(content.json) if _placed(subject) or _tells(subject, _names(content.json)) else None
    if content.form is not None:
        fields = _once(content.form)
        if "operations" in fields:
            return _of_json(read_json(fields["operations"].encode()))
        members: dict[str, Any] = {name: fields[name] for name in _MEMBERS if name in fields}
        if "variables" in members:
            members["variables"] = read_json(members["variables"].encode())
        return [_asked(members)] if _tells(subject, members) else None
    if content.data and (subject.media_type in _TYPES or _service(subject)):
        raise Unreadable("not GraphQL")
    return None


def _names(value: Any) -> list[str]:
    requests = value if isinstance(value, list) else [value]
    return [name for request in requests[:BATCH] if isinstance(request, dict) for name in request]


def _of_json(value: Any) -> list[_Asked]:
    requests = value if isinstance(value, list) else [value]
    if not 1 <= len(requests) <= BATCH:
        raise Unreadable(f"a batch of {len(requests)} requests")
    return [_asked(request) for request in requests]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None


def _once(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    found = dict[str, str]()
    for name, value in fields:
        if name in found and name in {*_MEMBERS, "operations", "map"}:
            raise Unreadable(f"{name} twice")
        found[name] = value
    return found


def _asked(members: Any) -> _Asked:
    """Raises Unreadable."""
    if not isinstance(members, dict):
        raise Unreadable("a GraphQL request that is no object")
    refuse_lookalikes(members, _MEMBERS)
    document, chosen, variables = (members.get(name) for name in ("query", "operationName", "variables"))
    known = _hash(members)
    if document is None or document == "":
        if not known:
            raise Unreadable("a GraphQL request without a document")
        return _Asked(operations=(), persisted=known, variables=variables)
    if not isinstance(document, str) or not isinstance(chosen, str | None):
        raise Unreadable("a GraphQL request whose document or operation name is no text")
    if known and known != hashlib.sha256(document.encode()).hexdigest():
        raise Unreadable("a GraphQL document and the hash of another")
    operations = read_document(document)
    named = tuple(operation for operation in operations if operation.name == chosen) if chosen else ()
    return _Asked(operations=named or operations, document=document, variables=variables)


def _hash(members: Mapping[str, Any]) -> str:
    """How a document is called that the server has already; empty where none is."""
    extensions = members.get("extensions")
    persisted = extensions.get("persistedQuery") if isinstance(extensions, dict) else None
    said = [persisted.get("sha256Hash")] if isinstance(persisted, dict) else []
    said += [members[name] for name in _PERSISTED if members.get(name)]
    if not said:
        return ""
    if len(set(map(str, said))) > 1 or not _HASH.fullmatch(str(said[0])):
        raise Unreadable("a persisted GraphQL document whose name cannot be read")
    return str(said[0])


def _meaning(subject: Subject, asked: list[_Asked]) -> Meaning:
    kind, fields, details = Kind.READ, set[str](), dict[str, str]()
    for number, one in enumerate(asked, 1):
        kind = stricter_kind(kind, one.kind)
        fields.update(field for operation in one.operations for field in operation.fields)
        prefix = f"{number}. " if len(asked) > 1 else ""
        if one.variables:
            details[f"{prefix}variables"] = shown(one.variables)
        if one.document:
            details[f"{prefix}document"] = shown(one.document)
    service = _service(subject)
    return Meaning(
        service=service or "graphql",
        operation=together(name for one in asked for name in one.names),
        kind=kind,
        lowers=bool(service) or _plainly(subject),
        resource={"fields": listed(fields)} if fields else {},
        details=details,
    )


def _plainly(subject: Subject) -> bool:
    """Whether nothing else at a host that the operator names would take this for a request of its own."""
    if not subject.known.speaks("graphql", subject.request.host):
        return False
    return _placed(subject) or only(subject, _MEMBERS)
