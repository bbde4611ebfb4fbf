"""Catalogs, and what they say of a request."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from control_api.models.approvals import CardShown
from control_api.models.base import Given, Shown
from firewall.globs import host_glob, host_suffix

SERVICE = r"^[a-z0-9][a-z0-9_-]{0,62}$"
DOCUMENT_BYTES = 16 << 20
"""Characters of a document; in a body it may take more bytes."""
HOSTS = 50
HEADERS = 200


def _host(text: str) -> str:
    """A host glob that names somebody: one for every host would rename what everybody does."""
    glob = host_glob(text)
    if not host_suffix(glob):
        raise ValueError(f"{text}: too wide; name the hosts")
    return glob


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("characters that do not print")
    return text


ServiceName = Annotated[str, StringConstraints(pattern=SERVICE)]
Host = Annotated[str, StringConstraints(max_length=255), AfterValidator(_host)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True), AfterValidator(_printable)]
FieldValue = Annotated[str, StringConstraints(max_length=16 << 10, pattern=r"^[^\r\n]*$")]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,200}$")]


class NewCatalog(Given):
    """`document`: the text of an OpenAPI 3 or Swagger 2 description (JSON or YAML), or of facts (`aaf-facts/1`). Nothing is
    fetched. `hosts`: host globs in place of those that the document names. `source`: where it comes from, for people."""

    service: ServiceName
    document: Annotated[str, StringConstraints(min_length=1, max_length=DOCUMENT_BYTES)]
    hosts: Annotated[list[Host], Field(min_length=1, max_length=HOSTS)] | None = None
    source: Source | None = None


class CatalogShown(Shown):
    """`shipped`: it came with the product, and `added_by`, `added_at` are null. `source`: package and version; `date`: of its
    content. `hosts`: where it holds by itself; more are named in the policy document's `dialects`."""

    service: str
    revision: str
    title: str
    source: str
    date: str
    licence: str
    operations: int
    hosts: list[str]
    shipped: bool
    added_by: str | None
    added_at: datetime | None


class CatalogAdded(CatalogShown):
    """`notes`: what of the document was left out, and why."""

    notes: list[str]


class CatalogDetail(CatalogAdded):
    """`facts`: its text (docs/catalog-format.md)."""

    facts: str


class Catalogs(Shown):
    data: list[CatalogShown]
    next_cursor: str | None


class AskedRequest(Given):
    """A request that is not sent. `headers`: name → value or values. `body`: text, or any other JSON value, which is then taken as
    JSON; or `body_base64`."""

    method: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")]
    url: Annotated[str, StringConstraints(min_length=1, max_length=16 << 10)]
    headers: Annotated[dict[FieldName, FieldValue | list[FieldValue]], Field(max_length=HEADERS)] = Field(default_factory=dict)
    body: Any = None
    body_base64: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]*={0,2}$")] | None = None

    @model_validator(mode="after")
    def _one_body(self) -> Self:
        if self.body is not None and self.body_base64 is not None:
            raise ValueError("give body or body_base64, not both")
        return self


class ActionClassified(Shown):
    """The action that such a request would be. Nothing is recorded, so `id`, `agent` and `digest` are empty. `methods`: what else
    than its own it may be taken for; `details`: what an approver would read beside it; `card`: all that an approver would read."""

    id: str = ""
    agent: str = ""
    service: str
    operation: str
    name: str
    kind: str
    risk: str
    method: str
    methods: list[str]
    scheme: str
    host: str
    port: int
    path: str
    query: str
    resource: dict[str, str]
    digest: str = ""
    findings: list[dict[str, Any]] = Field(default_factory=list)
    source: str
    truncated: bool
    iam_action: str | None
    destinations: list[str]
    catalog: str | None
    details: dict[str, str]
    card: CardShown
