"""What classifiers say, and what they look at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol
from urllib.parse import parse_qsl

from firewall.action import Kind, Risk
from firewall.classify.content import NOTHING, Content, read_content
from firewall.classify.known import Known
from firewall.request import Request

QUERY_FIELDS = 1000
"""More fields than this in a query are not looked at: the request is unknown."""


@dataclass(slots=True, kw_only=True)  # not frozen for the same reason as Action
class Meaning:
    """One classifier's reading of a request.

    `kind`: what the operation does. It may be milder than the HTTP method alone says only if `lowers`: a shipped catalog's word at
    the vendor's own place. `risk`: at least this, where the classifier knows something that `firewall.classify.risk` cannot see.
    `resource`: what it is done to, name → value, as policies match it. `details`: what else an approver should read, in the order
    in which it should be read. `destinations`: hosts or URLs that the provider will contact on the agent's behalf.
    `catalog`: `service@revision` of the catalog that named it. `slashes`: every encoded slash of the path stands in a parameter
    that may hold one. `sure`: the operation is one that the vendor describes, not a guess by shape.
    """

    service: str
    operation: str
    kind: Kind
    lowers: bool = False
    sure: bool = False
    risk: Risk | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, str] = field(default_factory=dict)
    destinations: tuple[str, ...] = ()
    iam_action: str | None = None
    catalog: str | None = None
    slashes: bool = False


@dataclass(eq=False)
class Subject:
    """A request as classifiers see it: parsed at most once, and only as far as somebody asks."""

    request: Request
    known: Known

    @cached_property
    def fields(self) -> dict[bytes, bytes]:
        """The header fields by their lower-case names; several of one name are joined with `, ` (RFC 9110, section 5.3)."""
        found: dict[bytes, bytes] = {}
        for given, value in self.request.headers:
            name = given.lower()
            found[name] = value if name not in found else found[name] + b", " + value
        return found

    def field(self, name: bytes) -> str | None:
        """The value of a header field, by its lower-case name."""
        value = self.fields.get(name)
        return None if value is None else value.decode("latin-1")

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The fields of the query, decoded as a form is, blank values kept. Raises ValueError for too many."""
        return tuple(parse_qsl(self.request.query, keep_blank_values=True, max_num_fields=QUERY_FIELDS))

    @cached_property
    def media_type(self) -> str:
        """Lower case, without parameters; empty where none is given."""
        return (self.field(b"content-type") or "").partition(";")[0].strip().lower()

    @cached_property
    def content(self) -> Content:
        """The body, decoded; never raises. NOTHING while it is not read."""
        body = self.request.body
        if body is None:
            return NOTHING
        return read_content(
            body,
            content_type=self.field(b"content-type") or "",
            content_encoding=self.field(b"content-encoding") or "",
            truncated=self.request.truncated,
        )


class Classifier(Protocol):
    def wants_body(self, head: Subject) -> bool:
        """Whether it needs the body of such a request (by host, path, method and header fields alone). It is cheap: it runs for
        every request."""
        ...

    def __call__(self, subject: Subject) -> Meaning | None:
        """None: not a request that this classifier knows. Whatever it raises makes the request `unknown`."""
        ...
