"""A request that nobody sends, as the action that it would be: by the same classes that the gateway judges with."""

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from control_api.faults import Invalid
from firewall.action import Action
from firewall.classify.judged import action_of as judged
from firewall.classify.known import Known
from firewall.errors import Refused
from firewall.ids import ActionId, AgentId
from firewall.request import Request, end_to_end, parse, parse_authority

PORTS = {"http": 80, "https": 443}


def action_of(
    *, method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None, inspect_bytes: int, known: Known
) -> tuple[Action, Request]:
    """The action, of nobody and with no identifier, and the request. `inspect_bytes`: how much of a body the gateway reads before
    it judges. Raises Invalid for what is no request, and for what the gateway refuses before it judges."""
    request = _request(method, url, headers, body, inspect_bytes)
    try:
        return judged(request, known, identifier=ActionId(""), agent="", agent_id=AgentId("")), request
    except Refused as error:
        raise _invalid("url", f"the gateway refuses it: {error.detail}") from None


def _request(method: str, url: str, headers: Sequence[tuple[str, str]], body: bytes | None, inspect_bytes: int) -> Request:
    try:
        if any(character <= " " for character in url):  # urlsplit takes some of them out
            raise ValueError("it holds a blank or a control character")
        parts = urlsplit(url)
        if parts.scheme not in PORTS:
            raise ValueError("it begins with http:// or https://")
        host, port = parse_authority(parts.netloc, PORTS[parts.scheme])
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fields = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
        if not any(name.lower() == b"host" for name, _ in fields):
            fields.insert(0, (b"Host", parts.netloc.encode("ascii")))
        parsed = parse(
            method=method,
            scheme=parts.scheme,
            host=host,
            port=port,
            target=target.encode("ascii"),
            headers=end_to_end(fields),
            body=body if body is None else body[:inspect_bytes],
        )
        return replace(parsed, truncated=body is not None and len(body) > inspect_bytes)
    except Refused as error:
        raise _invalid("url", f"the gateway refuses it: {error.detail}") from None
    except UnicodeEncodeError as error:
        raise _invalid("url" if error.encoding == "ascii" else "headers", "write it as it goes over the wire, in ASCII") from None
    except ValueError as error:
        raise _invalid("url", str(error)) from None


def _invalid(field: str, message: str) -> Invalid:
    return Invalid(f"body: /{field}: {message}", errors=[{"path": f"/{field}", "message": message}])
