"""What an approver reads of a request: enough to judge it, without what must not be shown.

Secrets are known by the name they stand under, and a few by their own form. Where it is not plain how far a secret goes, more is
masked rather than less.
"""

import codecs
import json
import re
from typing import Any
from urllib.parse import unquote_plus

from firewall.digest import is_credential
from firewall.request import Request

EXCERPT = 2048
"""Characters of body."""
VALUE = 256
"""Characters of a header field."""
MASK = "•••"
NAME = 1000
"""Characters; who writes a longer name has something to hide, or to search for long."""
DEPTH = 20
"""Levels of JSON that are set in."""

_SECRET_NAME = re.compile(
    r"pass(?:word|wd|phrase|code)|secret|token|bearer|jwt|cookie|(?:api|access|private|account|signing|encryption)[-_]?key"
    r"|credential|signature|auth(?!or(?!i[sz]))|(?<![a-z0-9])(?:pwd|sig|pin|otp|cvv|cvc|sid|session(?:[_-]?id)?)(?![a-z0-9])",
    re.IGNORECASE,
)
"""Not `author` and `authority`: who reads of a commit must see its author."""
_SECRET_PARAMETER = re.compile(r"^(?:key|code)$", re.IGNORECASE)
"""Secret in a query or a form (an API's key, OAuth's code), ordinary words in JSON."""
_SECRET_FORM = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END[^\n]*|\Z)"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|xapp-|sk-|[rs]k_(?:live|test)_|AIza|dop_v1_|shpat_)[\w-]{16,}"
    r"|\b(?:npm_|hf_|pypi-AgEI)[A-Za-z0-9]{30,}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}"
    r"|(?<=/services/)T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{16,}"
    r"|(?<=/webhooks/)\d{15,}/[\w-]{40,}"
    r"|(?<=bot)\d{6,}:[\w-]{30,}"
    r"|(?<=bearer )[^\s\"',]+",
    re.IGNORECASE | re.DOTALL,
)
"""Private keys, JSON Web Tokens, and the tokens of vendors who mark theirs."""
_HINTS = (
    "pass", "secret", "token", "bearer", "jwt", "cookie", "key", "credential", "signature", "auth", "pwd", "sig", "pin", "otp",
    "cvv", "cvc", "sid", "session", "-----", "eyj", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox",
    "sk-", "k_live", "k_test", "aiza", "bot", "\\u", "xapp-", "npm_", "pypi-",
    "hf_", "dop_v1_", "shpat_", "sg.", "/services/", "/webhooks/",
)  # fmt: skip
"""One of them stands in whatever the two above find, in small letters, and in names that are escaped."""
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*\\?(?:"|\Z)|[{}\[\],:]|[^"{}\[\],:\s]+|\s+', re.DOTALL)
"""JSON, near enough that every text falls into pieces."""
_ELEMENT = re.compile(r"<(?P<name>[^<>/!?\s]+)(?P<rest>[^<>]*)>(?P<value>[^<]+)")
_LINE = re.compile(rf"(?:{_SECRET_NAME.pattern})[\w-]*[\"'\]]*[ \t]*[:=]", re.IGNORECASE)
_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)
_BLANK_LINE = re.compile(r"\r?\n\r?\n")


def summary(request: Request, *, body_limit: int = EXCERPT) -> dict[str, Any]:
    """`path`, `query`, `headers` (names, with the values of harmless ones), `content_type`, `body` (an excerpt or None),
    `body_bytes`."""
    headers: dict[str, str] = {}
    for raw, value in request.headers:
        name = raw.decode("latin-1").lower()
        shown = MASK if is_credential(raw) or _is_secret(name) else masked_query(value.decode("latin-1"))[:VALUE]
        headers[name] = f"{headers[name]}, {shown}" if name in headers else shown
    content_type = headers.get("content-type", "")
    body = request.body or b""
    return {
        "method": request.method,
        "host": request.host,
        "path": _SECRET_FORM.sub(MASK, request.path),
        "query": masked_query(request.query),
        "headers": headers,
        "content_type": content_type,
        "body": excerpt(body, content_type, body_limit),
        "body_bytes": len(body),
    }


def masked_query(query: str) -> str:
    """A query or a form with the values of what looks secret masked."""
    return _SECRET_FORM.sub(MASK, "&".join(map(_parameter, query.split("&"))))


def masked(value: Any) -> Any:
    """JSON with the values of what looks secret masked, at any depth."""
    if isinstance(value, dict):
        return {name: MASK if _is_secret(name) else masked(each) for name, each in value.items()}
    if isinstance(value, list):
        return [masked(each) for each in value]
    return _SECRET_FORM.sub(MASK, value) if isinstance(value, str) else value


def masked_field(name: str, value: str) -> str:
    """The value of a form's field as it may be shown."""
    if len(name) > NAME or _is_secret(name) or _SECRET_PARAMETER.search(name.strip()):
        return MASK
    return _SECRET_FORM.sub(MASK, _masked_json(value) if _is_json(value) else value)


def masked_path(path: str) -> str:
    return _SECRET_FORM.sub(MASK, path)


def laid_out(text: str, limit: int) -> str:
    """JSON with a line for each name and value, piece by piece: what does not parse is shown too, and names that come twice.
    It ends behind the piece that makes it longer than `limit` characters."""
    shown: list[str] = []
    depth = size = 0
    for found in _PIECE.finditer(text):
        piece = found[0]
        size += len(shown[-1]) if shown else 0
        if size > limit:
            break
        if piece in ("{", "["):
            depth += 1
            shown.append(piece + "\n" + "  " * min(depth, DEPTH))
        elif piece in ("}", "]"):
            depth = max(depth - 1, 0)
            shown.append("\n" + "  " * min(depth, DEPTH) + piece)
        elif piece == ",":
            shown.append(",\n" + "  " * min(depth, DEPTH))
        elif piece == ":":
            shown.append(": ")
        elif not piece.isspace():
            shown.append(piece)
    return re.sub(r"([{\[])\n *\n *([}\]])", r"\1\2", "".join(shown))


def may_hold_secrets(text: str) -> bool:
    """Whether there may be anything to mask in a text. It is much quicker than masking."""
    folded = text.casefold()
    return any(hint in folded for hint in _HINTS)


def _is_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _parameter(text: str) -> str:
    """One `name=value`. Some servers take `;` for `&`; a secret that holds one is masked to its end."""
    pieces = text.split(";")
    for index, piece in enumerate(pieces):
        raw, equals, value = piece.partition("=")
        name = unquote_plus(raw).strip()
        if equals and (_is_secret(name) or _SECRET_PARAMETER.search(name.rpartition("?")[2])):
            return ";".join([*pieces[:index], f"{raw}={MASK}"])
        if _is_json(decoded := unquote_plus(value)) and (hidden := _masked_json(decoded)) != decoded:
            pieces[index] = f"{raw}={hidden}"
    return ";".join(pieces)


def excerpt(body: bytes, content_type: str, limit: int) -> str | None:
    """The beginning of a body, with the values of what looks secret masked; None where it is no text. `limit`: characters."""
    whole = len(body) <= 4 * limit
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(body[: 4 * limit], final=whole)
    except UnicodeDecodeError:
        return None
    if "\x00" in text:
        return None
    return _SECRET_FORM.sub(MASK, _masked_text(text, content_type))[:limit]


def _masked_text(text: str, content_type: str) -> str:
    kind = content_type.lower()
    if kind.startswith("multipart/"):
        boundary = _BOUNDARY.search(content_type)
        return MASK if boundary is None else _masked_parts(text, "--" + boundary[1])
    if _is_json(text) or "json" in kind:  # whatever it is called: curl calls any body a form
        return _masked_json(text)
    if kind.startswith("application/x-www-form-urlencoded"):
        return masked_query(text)
    return _masked_lines(_ELEMENT.sub(_element, text))


def _is_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith(("{", "["))


def _masked_json(text: str) -> str:
    """Piece by piece, so that what is shown is what was written: duplicate names, order and all."""
    shown: list[str] = []
    name = ""
    depth: int | None = None  # of brackets inside the value that is being hidden
    for piece in _PIECE.findall(text):
        if depth is not None:
            depth += (piece in ("{", "[")) - (piece in ("}", "]"))
            if depth > 0 or (depth == 0 and piece != ","):
                continue
            depth = None
        shown.append(piece)
        if piece == ":" and _is_secret(name):
            shown.append(f'"{MASK}"')
            depth = 0
        elif not piece.isspace():
            name = _unescaped(piece)
    return "".join(shown)


def _unescaped(piece: str) -> str:
    if "\\" not in piece:
        return piece.strip('"')
    try:
        return str(json.loads(piece))
    except ValueError:
        return piece


def _masked_parts(text: str, delimiter: str) -> str:
    shown = []
    for part in text.split(delimiter):
        head = _BLANK_LINE.split(part, maxsplit=1)[0]
        value = part[len(head) :]
        if _is_secret(unquote_plus(head)):
            value = f"\r\n\r\n{MASK}\r\n"
        shown.append(head + (_masked_json(value) if _is_json(value) else value))
    return delimiter.join(shown)


def _element(match: re.Match[str]) -> str:
    return f"<{match['name']}{match['rest']}>{MASK}" if _is_secret(match["name"]) else match[0]


def _masked_lines(text: str) -> str:
    """`name: value` and `name = value`, masked to the end of the line, in whatever it stands."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        found = _LINE.search(line)
        if found is not None:
            lines[index] = f"{line[: found.end()]} {MASK}"
    return "\n".join(lines)
