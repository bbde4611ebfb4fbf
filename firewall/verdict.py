"""What was decided about an action. There is no value that means "allow" by being empty."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms an approval is asked for. `expires_in`, `grant_for`: seconds."""

    quorum: int = 1
    approvers: tuple[str, ...] = ("role:approver",)
    expires_in: int = 86_400
    grant_for: int = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    reason: str
    rules: tuple[str, ...]
    revision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    reason: str
    rules: tuple[str, ...]
    revision: str
    terms: Terms = field(default_factory=Terms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """`revision` is empty when the denial was ours and no policy spoke."""

    reason: str
    rules: tuple[str, ...] = ()
    revision: str = ""


Verdict = Allow | Hold | Deny

NOT_DECIDED = Deny(reason="not decided")
