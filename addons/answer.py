"""A refusal as the answer that the agent gets."""

import json

from mitmproxy import http

from firewall.errors import Refused
from firewall.ids import ActionId
from firewall.problem import problem


def answer(error: Refused, action_id: ActionId | None, *, close: bool = False) -> http.Response:
    """A problem document as mitmproxy's Response. `close`: the connection ends with it."""
    document = problem(error, action_id)
    body = json.dumps(document.body).encode()
    headers = http.Headers([(name.encode(), value.encode("latin-1")) for name, value in document.headers.items()])
    if close:
        headers["Connection"] = "close"
    response = http.Response.make(document.status, body, headers)
    # Clients lose the body of a refused CONNECT, but several print the reason phrase (TRAPS 17).
    response.reason = _reason(error, action_id)
    return response


def _reason(error: Refused, action_id: ActionId | None) -> str:
    words = [error.title(), *(f"rule {rule}" for rule in error.rules[:3])]
    if action_id is not None:
        words.append(action_id)
    return "".join(letter if " " <= letter <= "~" else "?" for letter in "; ".join(words))
