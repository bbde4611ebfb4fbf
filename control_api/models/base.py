"""What the models share: the kinds of text and number, pages, problems, health."""

import unicodedata
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from firewall.approval import State


def _seen(name: str) -> str:
    """One spelling for one person, for votes are counted by name; and nothing in it that a reader cannot see."""
    name = unicodedata.normalize("NFC", name)
    if not name.isprintable():
        raise ValueError("a name is made of characters that can be seen")
    return name


AgentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})$")]
PersonName = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,100}$", strip_whitespace=True), AfterValidator(_seen)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]{0,127}$")]
Service = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Comment = Annotated[str, StringConstraints(max_length=4000)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
ExpiresIn = Annotated[int, Field(ge=1, le=366 * 86_400, description="Seconds until it ends.")]
Limit = Annotated[int, Field(ge=1, le=1000)]
Cursor = Annotated[str, StringConstraints(max_length=200)]


class Given(BaseModel):
    """What clients send: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Shown(BaseModel):
    """What clients get."""

    model_config = ConfigDict(frozen=True)


class Page(Given):
    limit: Limit = 50
    cursor: Cursor | None = None


class FieldProblem(Shown):
    path: str
    message: str


class Problem(Shown):
    """RFC 9457."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    state: State | None = None


class Live(Shown):
    status: Literal["ok"] = "ok"


class Dependency(Shown):
    ok: bool
    detail: str


class Ready(Shown):
    """`degraded`: what is missing keeps only `POST /v1/actions` from working."""

    status: Literal["ok", "degraded"]
    dependencies: dict[str, Dependency]


class Nothing(Given):
    """No fields: send `{}`, or no body."""


class Done(Shown):
    id: str
    done: bool = True
