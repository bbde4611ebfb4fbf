"""Actions and approvals as sentences. Pure: what the API gave → lines.

What agents wrote reaches us already made visible (`firewall.visible`); names and comments are made so here.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from firewall.visible import visible

NAME = 120
COMMENT = 400
_STATES = {
    "pending": "waiting",
    "approved": "approved, not used yet",
    "spent": "approved, used",
    "denied": "denied",
    "expired": "expired",
    "cancelled": "cancelled",
}
_REFUSED = {
    "policy": "denied by policy",
    "approver": "denied by an approver",
    "expired": "expired, nobody decided",
    "address": "denied for its address",
    "agent-disabled": "denied, the agent is disabled",
}


def action_lines(actions: Sequence[Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """`12:03  build-bot  create an issue on octo/hello (github:issues/create)  held, waiting  act_…`. `now`: with a time zone, in
    which times are shown."""
    width = max((len(action["agent"]) for action in actions), default=0)
    for action in actions:
        yield "  ".join((moment(action["at"], now), f"{action['agent']:<{width}}", _done(action), outcome(action), action["id"]))


def approval_line(approval: Mapping[str, Any], now: datetime) -> str:
    """`12:03  build-bot wants to create an issue on octo/hello at api.github.com (github:issues/create).  medium  waiting  …`"""
    sentence = f"{approval['sentence'].removesuffix('.')} ({visible(approval['name'], NAME)})."
    return "  ".join((moment(approval["requested_at"], now), sentence, approval["risk"], state(approval), approval["id"]))


def approval_page(approval: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """What one approval asks, for whoever decides."""
    card = approval["card"]
    yield approval["title"]
    yield approval["sentence"]
    yield ""
    fields = [(each["name"], each["value"]) for each in card["fields"]] if card else _known(approval)
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        yield f"  {name:<{width}}  {value}"
    if card and card["body"]:
        yield ""
        yield from (f"  | {line}" for line in card["body"].split("\n"))
    yield ""
    yield from _standing(approval, now)


def outcome(action: Mapping[str, Any]) -> str:
    """What became of it, in words."""
    match action["decision"]:
        case "allow":
            word = "approved" if action["approval_id"] else "allowed"
            if action["status"] is not None:
                return f"{word}, answered {action['status']}"
            return f"{word}, {visible(str(action['outcome']), NAME)}" if action["outcome"] else word
        case "pending":
            state = action["approval_state"]
            return "held, waiting" if state in (None, "pending") else f"held, {_STATES.get(state, state)}"
        case "deny":
            return _REFUSED.get(action["code"] or "", f"denied ({action['code']})" if action["code"] else "denied")
        case _:
            return f"refused ({action['code']})" if action["code"] else "refused"


def state(approval: Mapping[str, Any]) -> str:
    first, comma, rest = _STATES.get(approval["status"], str(approval["status"])).partition(",")
    by = f" by {visible(approval['decided_by'], NAME)}" if approval["decided_by"] else ""
    return first + by + comma + rest


def moment(text: str, now: datetime) -> str:
    """`12:03` of this day, or with its date."""
    at = datetime.fromisoformat(text).astimezone(now.tzinfo)
    return f"{at:%H:%M}" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M}"


def _done(action: Mapping[str, Any]) -> str:
    plain = action["host"] and action["doing"].startswith(f"send {action['method']} ")
    where = f" to {visible(action['host'], NAME)}" if plain else ""
    return f"{action['doing']}{where} ({visible(action['name'], NAME)})"


def _known(approval: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Of an approval whose card cannot be opened."""
    names = ("name", "kind", "risk", "method", "host")
    return [(name.capitalize(), visible(str(approval[name]), NAME)) for name in names]


def _standing(approval: Mapping[str, Any], now: datetime) -> Iterator[str]:
    rules = ", ".join(visible(rule, NAME) for rule in approval["rules"])
    yield f"Held by {rules or 'the default'}: {visible(approval['reason'], COMMENT)}"
    for vote in approval["votes"]:
        said = f": {visible(vote['comment'], COMMENT)}" if vote["comment"] else ""
        verb = {"approve": "approved", "deny": "denied"}.get(vote["choice"], vote["choice"])
        yield f"{visible(vote['voter'], NAME)} {verb} it at {moment(vote['at'], now)}{said}"
    if approval["status"] != "pending":
        yield f"It is {state(approval)}."
        return
    people = f"{approval['quorum']} people" if approval["quorum"] > 1 else "one person"
    yield f"Waiting since {moment(approval['requested_at'], now)} for {people}, until {moment(approval['expires_at'], now)}."
    yield ""
    yield f"  aaf approvals approve {approval['id']}"
    yield f"  aaf approvals deny {approval['id']} --reason WHY"
