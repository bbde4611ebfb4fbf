"""The body of a request as an approver reads it: fields and values, never a raw blob."""

from dataclasses import dataclass
from typing import Final

from firewall.classify.content import MISSING, Content, read_content
from firewall.classify.content_multipart import Part
from firewall.redact import excerpt, laid_out, masked_field
from firewall.request import Request
from firewall.visible import CUT, count, visible

READ: Final = 2048
"""Characters of the body that are looked at."""
SHOWN: Final = 4096
"""Characters that are shown, laid out."""
LINES: Final = 80
FIELDS: Final = 40
VALUE: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Excerpt:
    """`text`: empty where there is nothing to read. `note`: what and how much it is, in words; empty where there is no body."""

    text: str = ""
    note: str = ""


def excerpt_of(request: Request) -> Excerpt:
    """Secrets masked, everything hidden made visible, bounded."""
    body = request.body
    if not body:
        return Excerpt()
    content_type, coding = _field(request, b"content-type"), _field(request, b"content-encoding")
    content = read_content(body, content_type=content_type, content_encoding=coding, truncated=request.truncated)
    said = visible(content_type.partition(";")[0].strip() or "no type", 80)
    notes = [f"{count(len(body))} of {said}"]
    if coding:
        notes.append(f"in {visible(coding, 40)}")
    if request.truncated:
        notes.append("only its beginning is read")
    elif content.problem:
        notes.append(visible(content.problem, 120))
    return Excerpt(text=_text(content, content_type), note=", ".join(notes))


def _text(content: Content, content_type: str) -> str:
    if content.parts is not None:
        return _listed([(part.name or "part", _part(part)) for part in content.parts[:FIELDS]], len(content.parts))
    if content.form is not None:
        shown = [(name, masked_field(name, value[: 4 * VALUE])) for name, value in content.form[:FIELDS]]
        return _listed(shown, len(content.form))
    text = excerpt(content.data, content_type, READ) or ""
    text += CUT if len(text) >= READ else ""
    begins = text.lstrip("\ufeff \t\r\n")[:1]
    lines = visible(
        laid_out(text, SHOWN) if content.json is not MISSING or begins in ("{", "[") else text, SHOWN, lines=True
    ).split("\n")
    return "\n".join(lines[:LINES] + [f"… and {len(lines) - LINES} more lines"] * (len(lines) > LINES))


def _part(part: Part) -> str:
    if part.file_name is not None:
        return f"file {part.file_name}, {count(len(part.data))} of {part.media_type or 'no type'}"
    try:
        return masked_field(
            part.name, part.data[: 4 * VALUE].decode("utf-8", "strict" if len(part.data) <= 4 * VALUE else "ignore")
        )
    except UnicodeDecodeError:
        return f"{count(len(part.data))} of {part.media_type or 'no type'}"


def _listed(fields: list[tuple[str, str]], count_of_all: int) -> str:
    """A line a field, whatever line ends its value holds."""
    lines: list[str] = []
    size = 0
    for name, value in fields:
        line = f"{visible(name, 80)}: {visible(value, VALUE)}"
        size += len(line) + 1
        if size > SHOWN:
            break
        lines.append(line)
    return "\n".join(lines + [f"… and {count_of_all - len(lines)} more"] * (count_of_all > len(lines)))


def _field(request: Request, wanted: bytes) -> str:
    return ", ".join(value.decode("latin-1") for name, value in request.headers if name.lower() == wanted)
