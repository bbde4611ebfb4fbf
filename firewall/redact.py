"""What an approver reads of a request: enough to judge it, without what must not be shown."""

import re
from typing import Any

from firewall.digest import is_credential
from firewall.request import Request

EXCERPT = 2048
"""Characters of body."""
MASK = "•••"
_SECRET_NAME = re.compile(
    r"(?:pass(?:word|wd|phrase)?|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credential|signature|auth)", re.IGNORECASE
)
_PAIR = re.compile(r'("(?P<key>[^"\\]{1,64})"\s*:\s*)"(?:[^"\\]|\\.)*"?')
_PARAMETER = re.compile(r"(?P<name>[^=&]{1,64})=(?P<value>[^&]*)")


def summary(request: Request, *, body_limit: int = EXCERPT) -> dict[str, Any]:
    """`path`, `query`, `headers` (names, with the values of harmless ones), `content_type`, `body` (an excerpt or None),
    `body_bytes`."""
    headers = {
        name.decode("latin-1").lower(): MASK if is_credential(name) else value.decode("latin-1")[:256]
        for name, value in request.headers
    }
    content_type = headers.get("content-type", "")
    body = request.body or b""
    return {
        "method": request.method,
        "host": request.host,
        "path": request.path,
        "query": masked_query(request.query),
        "headers": headers,
        "content_type": content_type,
        "body": _excerpt(body, content_type, body_limit),
        "body_bytes": len(body),
    }


def masked_query(query: str) -> str:
    """A query or a form with the values of what looks secret masked."""

    def mask(match: re.Match[str]) -> str:
        return f"{match['name']}={MASK if _SECRET_NAME.search(match['name']) else match['value']}"

    return _PARAMETER.sub(mask, query)


def masked(value: Any) -> Any:
    """JSON with the values of what looks secret masked, at any depth."""
    if isinstance(value, dict):
        return {name: MASK if _SECRET_NAME.search(name) else masked(each) for name, each in value.items()}
    return [masked(each) for each in value] if isinstance(value, list) else value


def _excerpt(body: bytes, content_type: str, limit: int) -> str | None:
    try:
        text = body[: 4 * limit].decode("utf-8", "strict" if len(body) <= 4 * limit else "ignore")
    except UnicodeDecodeError:
        return None
    if "\x00" in text:
        return None
    if content_type.startswith("application/x-www-form-urlencoded"):
        return masked_query(text)[:limit]

    def mask(match: re.Match[str]) -> str:
        return match[1] + f'"{MASK}"' if _SECRET_NAME.search(match["key"]) else match[0]

    return _PAIR.sub(mask, text)[:limit]
