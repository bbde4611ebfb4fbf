"""AWS: which operation of which service a request is (`s3:PutObject`), from the host, the signature's scope, and what its protocol
says. Facts: `facts/aws.facts` (tools/catalog/aws.py tells how they stand there).

Kinds are lowered only where AWS itself answers, or where the operator says that AWS's protocols are spoken (`dialects.aws`); a
signature at any other host names nothing. Where host, scope, target, action and path tell two stories, the request is unknown.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from urllib.parse import unquote_plus

from firewall.action import Kind, Risk, stricter_kind
from firewall.classify.aws_hosts import Endpoint, endpoint_of, is_aws, labels_of, prefixes_of
from firewall.classify.aws_members import members_of
from firewall.classify.aws_s3 import SCOPES as S3_SCOPES
from firewall.classify.aws_s3 import S3Host, s3_host, s3_key, s3_segments
from firewall.classify.aws_signals import FORM, actions, header_names, opens_up, scopes, targets
from firewall.classify.known import Match
from firewall.classify.meaning import Meaning, Subject
from firewall.classify.naming import together

ZONE = "aws.invalid"
DIALECT = "aws"
_WORD = re.compile(r"[A-Za-z0-9_]{1,100}")
_CONDITIONAL = frozenset({b"x-amz-copy-source", b"x-amz-rename-source", b"x-amz-object-attributes"})
"""Header fields that make another operation of the same path."""
_JSON = re.compile(r"application/x-amz-json-1\.[01]")
_MILD = frozenset({"GET", "HEAD", "POST"})
VALUE = 500
"""Characters of a member of the body that become part of `resource`."""


class Contradiction(ValueError):
    """A request that two servers could take for two operations. `names`: those, if it is known which."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.names = tuple(sorted(names))
        super().__init__(", ".join(self.names))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """What answers at a host."""

    endpoint: Endpoint | None = None
    s3: S3Host | None = None

    @property
    def prefixes(self) -> tuple[str, ...]:
        if self.s3 is not None:
            return self.s3.places
        return self.endpoint.prefixes if self.endpoint is not None else ()

    @property
    def scopes(self) -> frozenset[str]:
        return S3_SCOPES if self.s3 is not None else self.endpoint.scopes if self.endpoint is not None else frozenset()


class Aws:
    def wants_body(self, head: Subject) -> bool:
        request = head.request
        if request.method != "POST" or not (is_aws(request.host) or head.known.speaks(DIALECT, request.host)):
            return False
        if head.media_type == FORM or _JSON.fullmatch(head.media_type):
            return True
        place = _place(head)
        return place is not None and any(head.known.shipped.knows(f"{prefix}.action.{ZONE}") for prefix in place.prefixes)

    def __call__(self, subject: Subject) -> Meaning | None:
        host = subject.request.host
        if not is_aws(host) and not subject.known.speaks(DIALECT, host):
            return None
        place = _place(subject)
        if place is None:
            return None
        signed = scopes(subject)
        try:
            if len(signed) > 1 or not signed <= place.scopes:
                raise Contradiction
            meaning = _s3(subject, place.s3) if place.s3 is not None else _service(subject, place)
            # No protocol of AWS takes another method than these for a read, whatever else the request says.
            return meaning if meaning is None or subject.request.method in _MILD else replace(meaning, lowers=False)
        except Contradiction as contradiction:
            operation = together(contradiction.names) if contradiction.names else "ambiguous"
            return Meaning(service="aws", operation=operation, kind=Kind.UNKNOWN)


@lru_cache(maxsize=1024)
def _of_host(host: str) -> _Place | None:
    """What AWS answers at one of its own hosts."""
    labels = labels_of(host)
    if labels is None:
        return None
    s3 = s3_host(labels)
    endpoint = endpoint_of(labels) if s3 is None else None
    return None if s3 is None and endpoint is None else _Place(s3=s3, endpoint=endpoint)


def _place(subject: Subject) -> _Place | None:
    """What answers at the host; at one that the operator names, what the signature asks for."""
    host = subject.request.host
    place = _of_host(host)
    if place is not None or not subject.known.speaks(DIALECT, host):
        return place
    signed = scopes(subject)
    if signed and signed <= S3_SCOPES:
        bucket, dot, _ = host.partition(".s3.")
        return _Place(s3=S3Host(bucket=bucket if dot else None))
    prefixes = [prefix for scope in sorted(signed) for prefix in prefixes_of().get(scope, ())]
    return _Place(endpoint=Endpoint(prefixes=tuple(prefixes), scopes=signed)) if prefixes else None


def _s3(subject: Subject, host: S3Host) -> Meaning | None:
    request = subject.request
    if host.website:
        if request.method not in {"GET", "HEAD"}:
            return None
        key = s3_key(host.bucket, request.segments)
        match = _rest(subject, ("s3",), (host.bucket or "", "index"))
        return None if match is None else _meaning(match, {"bucket": host.bucket or "", "key": key}, slashes=True)
    if "s3-control" in host.places:
        match = _rest(subject, host.places[:1], request.segments)
        if match is not None or len(host.places) == 1:
            return None if match is None else _meaning(match, match.parameters, slashes=match.slashes)
    if "/" in (host.bucket or request.segments[0]):
        return None
    match = _rest(subject, host.places, s3_segments(host.bucket, request.segments))
    if match is None and request.segments == ("WriteGetObjectResponse",):
        match = _rest(subject, host.places, request.segments)
    if match is None:
        return None
    resource = {name: value for name, value in match.parameters.items() if name not in {"Bucket", "Key"}}
    if "Bucket" in match.parameters:
        resource["bucket"] = match.parameters["Bucket"]
    if "Key" in match.parameters:
        resource["key"] = s3_key(host.bucket, request.segments)
    meaning = _meaning(match, resource, slashes=True)
    opens = "" if match.kind is Kind.READ else opens_up(subject)
    return replace(meaning, risk=Risk.CRITICAL, details={"opens": opens}) if opens else meaning


def _service(subject: Subject, place: _Place) -> Meaning | None:
    """Every signal is followed in every service that answers at the host; they have to agree."""
    request, index = subject.request, subject.known.shipped
    found: dict[str, Match] = {}
    words: dict[str, bool] = {}
    posted, rpc = request.method == "POST", _rpc(request.segments)
    for prefix in place.prefixes:
        if (names := targets(subject)) and index.knows(place_of := f"{prefix}.target.{ZONE}"):
            _follow(subject, place_of, names, found, words)
        spoken = index.knows(place_of := f"{prefix}.rpc.{ZONE}")
        # One that speaks JSON by targets may have learnt this since.
        if posted and rpc and (spoken or index.knows(f"{prefix}.target.{ZONE}")):
            match = index.look_up(place_of, "POST", rpc, "", frozenset()) if spoken else None
            words[rpc[3]] = words.get(rpc[3], False) or match is not None
            if match is not None:
                found[match.operation] = _either(found.get(match.operation), match)
    typed = bool(found)  # then the body is JSON or CBOR, whatever letters it is made of
    for prefix in place.prefixes:
        if (request.query or posted) and index.knows(place_of := f"{prefix}.action.{ZONE}"):
            _follow(subject, place_of, actions(subject, in_body=not typed), found, words)
        match = _rest(subject, (prefix,), request.segments)
        if match is not None:
            found[match.operation] = _either(found.get(match.operation), match)
    if not found and not words and request.query:  # a service that took actions once may still
        words = dict.fromkeys(actions(subject, in_body=False), False)
    unknown = {_newer(place, word) for word, known in words.items() if not known}
    if len(found) + len(unknown) > 1:
        raise Contradiction({*found, *unknown})
    if found:
        (match,) = found.values()
        return _meaning(match, {**match.parameters, **_members(subject, match.operation)}, slashes=match.slashes)
    if unknown:
        return Meaning(service="aws", operation=unknown.pop(), kind=Kind.UNKNOWN)
    return None


def _rpc(segments: tuple[str, ...]) -> tuple[str, ...]:
    """`/service/NAME/operation/NAME`, behind any prefix (Smithy RPC v2, "Requests"); empty where it is none."""
    last = segments[-4:] if segments[-1] else segments[-5:-1]
    return last if len(last) == 4 and (last[0], last[2]) == ("service", "operation") else ()


def _newer(place: _Place, word: str) -> str:
    """An operation that the facts do not have is named as it names itself."""
    name = word.rpartition(".")[2]
    return f"{min(place.scopes)}:{name}" if _WORD.fullmatch(name) else "unknown"


def _follow(subject: Subject, place: str, said: tuple[str, ...], found: dict[str, Match], words: dict[str, bool]) -> None:
    """`words`: whether some service knows the word."""
    for word in said:
        match = subject.known.shipped.look_up(place, "POST", (word,), "", frozenset()) if "/" not in word else None
        words[word] = words.get(word, False) or match is not None
        if match is not None:
            found[match.operation] = _either(found.get(match.operation), match)


def _either(a: Match | None, b: Match) -> Match:
    return b if a is None or stricter_kind(a.kind, b.kind) is b.kind else a


def _rest(subject: Subject, prefixes: tuple[str, ...], segments: tuple[str, ...]) -> Match | None:
    """By method, path, query and header fields, and only if no other operation is asked for in the same breath."""
    request, index = subject.request, subject.known.shipped
    names = header_names(subject)
    for prefix in prefixes:
        place = f"{prefix}.{ZONE}"
        match = index.look_up(place, request.method, segments, request.query, names)
        if match is None:
            continue
        asked = frozenset(part.partition("=")[0] for part in match.template.partition("?")[2].split("&")) - {""}
        if not asked and not names & _CONDITIONAL:
            return match
        plain = names - _CONDITIONAL
        by_header = names != plain and index.look_up(place, request.method, segments, request.query, plain) != match
        others = "&".join(part for part in request.query.split("&") if unquote_plus(part.partition("=")[0]) not in asked)
        second = index.look_up(place, request.method, segments, others, plain if by_header else names)
        base = index.look_up(place, request.method, segments, "", frozenset())
        if second is not None and second.operation not in {match.operation, base.operation if base else ""}:
            raise Contradiction({match.operation, second.operation})
        return match
    return None


def _members(subject: Subject, operation: str) -> Mapping[str, str]:
    """What the operation is done to, where its body says so."""
    names, content = members_of(operation), subject.content
    # In the query protocol the path names the queue, whatever the form says.
    if not names or content.problem or (operation.startswith("sqs:") and subject.request.segments != ("",)):
        return {}
    if isinstance(content.json, dict):
        values = {name: content.json.get(name) for name in names}
        return {name: value for name, value in values.items() if isinstance(value, str) and len(value) <= VALUE}
    fields = [*subject.query, *(content.form or ())]
    given = {name: [value for field, value in fields if field == name] for name in names}
    return {name: values[0] for name, values in given.items() if len(values) == 1 and len(values[0]) <= VALUE}


def _meaning(match: Match, resource: Mapping[str, str], *, slashes: bool) -> Meaning:
    return Meaning(
        service="aws",
        operation=match.operation,
        kind=match.kind,
        lowers=True,
        sure=True,
        resource=resource,
        iam_action=match.iam_action or match.operation,
        catalog=match.catalog,
        slashes=slashes,
    )
