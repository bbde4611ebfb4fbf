"""The slow, obvious reading of docs/digest.md, byte by byte and without regular expressions. The implementation must agree
with it. Step numbers are those of the specification."""

import hashlib
import hmac
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "digest.md"

UPPER = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LOWER = b"abcdefghijklmnopqrstuvwxyz"
DIGITS = b"0123456789"
BASE64 = UPPER + LOWER + DIGITS + b"+/="
LABEL_START = LOWER + b"*"
LABEL = LABEL_START + DIGITS + b"_.-"
BOUNDARY = UPPER + LOWER + DIGITS + b"_.-"

Field = tuple[bytes, bytes]


@cache
def listed(heading: str) -> list[str]:
    """A list of the specification: the words of the first fenced block after `heading`."""
    block = DOCUMENT.read_text().split(f"### {heading}\n", 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    return block.split()


@cache
def signatures() -> dict[bytes, tuple[list[bytes], list[bytes]]]:
    """The table of SIGNATURES: scheme → parameters that name, parameters that are the proof."""
    section = DOCUMENT.read_text().split("### SIGNATURES\n", 1)[1].split("\n#", 1)[0]
    found = {}
    for line in section.splitlines():
        if line.startswith("| `"):
            scheme, naming, proof = ([word.strip("`,").encode() for word in cell.split()] for cell in line.strip("| ").split("|"))
            found[scheme[0]] = (naming, proof)
    return found


def digest(
    *, agent_id: str, method: str, scheme: str, host: str, port: int, target: bytes, headers: list[Field], body: bytes, key: bytes
) -> str:
    fields = [(lower(name), trim(value)) for name, value in headers]  # 1, 2
    fields, kind, body_hash = read_body(fields, body)  # 3, 4
    fields = [field for field in fields if not varies(field[0])]  # 5
    credentials = {name.encode() for name in listed("CREDENTIALS")}
    fields = [(name, keyed(name, value, key) if name in credentials else value) for name, value in fields]  # 6
    ordered: list[Field] = []
    for name in sorted({name for name, _ in fields}):  # 7
        ordered += [field for field in fields if field[0] == name]
    parts = [agent_id.encode(), method.encode(), scheme.encode(), host.encode(), str(port).encode(), target]
    parts.append(str(len(ordered)).encode())
    for name, value in ordered:
        parts += [name, value]
    parts += [kind, body_hash]
    return finish(parts)  # 8


def digest_api(*, agent_id: str, tool: str, operation: str, canonical_params: bytes) -> str:
    body_hash = hashlib.sha256(canonical_params).digest()
    return finish([agent_id.encode(), b"API", b"api", tool.encode(), b"0", operation.encode(), b"0", b"raw", body_hash])


def finish(parts: list[bytes]) -> str:
    return "sha256:" + hashlib.sha256(b"aaf-digest/v1\n" + joined(parts)).hexdigest()


def joined(parts: list[bytes]) -> bytes:
    text = b""
    for part in parts:
        text += len(part).to_bytes(8, "big") + part
    return text


def lower(text: bytes) -> bytes:
    return bytes(byte + 32 if byte in UPPER else byte for byte in text)


def trim(value: bytes) -> bytes:
    while value and value[0] in b" \t":
        value = value[1:]
    while value and value[-1] in b" \t":
        value = value[:-1]
    return value


def varies(name: bytes) -> bool:
    return any(name.startswith(word[:-1].encode()) if word.endswith("*") else name == word.encode() for word in listed("VARYING"))


# --- bodies -------------------------------------------------------------------------------------------------------------


def read_body(fields: list[Field], body: bytes) -> tuple[list[Field], bytes, bytes]:
    raw = (fields, b"raw", hashlib.sha256(body).digest())
    told = [field for field in fields if field[0].replace(b"_", b"-") in (b"content-type", b"content-encoding")]
    if len(told) != 1 or told[0][0] != b"content-type":
        return raw
    form = content_type(told[0][1])
    if form is None:
        return raw
    without, boundary = form
    pieces = split(body, boundary)
    if len(pieces) == 1 or pieces[0] != b"" or pieces[-2] != b"--":
        return raw
    for text in pieces[0::2]:
        if lower(boundary) in lower(text):
            return raw
    fields = [(name, without if name == b"content-type" else value) for name, value in fields]
    return fields, b"multipart", hashlib.sha256(joined(pieces)).digest()


def content_type(value: bytes) -> tuple[bytes, bytes] | None:
    """The value up to and with the `=`, and the boundary."""
    scanner = Scanner(value)
    if not any(scanner.word(b"multipart/" + kind) for kind in (b"form-data", b"mixed", b"related")):
        return None
    scanner.some(b" \t")
    if not scanner.word(b";"):
        return None
    scanner.some(b" \t")
    if not scanner.word(b"boundary="):
        return None
    without = value[: scanner.at]
    if scanner.word(b'"'):
        boundary = scanner.some(BOUNDARY + b"=")
        if not scanner.word(b'"'):
            return None
    else:
        boundary = scanner.some(BOUNDARY)
    return (without, boundary) if scanner.ended() and 1 <= len(boundary) <= 70 else None


def split(body: bytes, boundary: bytes) -> list[bytes]:
    """Text, marker, text, marker, …, text."""
    data = b"\r\n" + body
    delimiter = b"\r\n--" + boundary
    pieces = []
    start = at = 0
    while at < len(data):
        if data[at : at + len(delimiter)] == delimiter:
            after = at + len(delimiter)
            for marker in (b"--", b""):
                end = after + len(marker)
                last = marker == b"--" and end == len(data)
                if data[after:end] == marker and (last or data[end : end + 2] == b"\r\n"):
                    pieces += [data[start:at], marker]
                    start = at = end
                    break
            else:
                at += 1
        else:
            at += 1
    return [*pieces, data[start:]]


# --- credentials --------------------------------------------------------------------------------------------------------


class Scanner:
    """A text, read from left to right."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def ended(self) -> bool:
        return self.at == len(self.text)

    def word(self, word: bytes) -> bool:
        """Steps over `word`, in any case, if it comes next."""
        if lower(self.text[self.at : self.at + len(word)]) != lower(word):
            return False
        self.at += len(word)
        return True

    def exact(self, word: bytes) -> bool:
        if self.text[self.at : self.at + len(word)] != word:
            return False
        self.at += len(word)
        return True

    def some(self, allowed: bytes) -> bytes:
        return self._take(lambda byte: byte in allowed)

    def until(self, forbidden: bytes) -> bytes:
        return self._take(lambda byte: byte not in forbidden)

    def quoted(self) -> bytes | None:
        """What stands between two quotes, without backslashes."""
        if not self.exact(b'"'):
            return None
        text = self.until(b'"\\')
        return text if self.exact(b'"') else None

    def _take(self, fits: Callable[[int], bool]) -> bytes:
        start = self.at
        while self.at < len(self.text) and fits(self.text[self.at]):
            self.at += 1
        return self.text[start : self.at]


def keyed(name: bytes, value: bytes, key: bytes) -> bytes:
    return hmac.new(key, joined([name, *identity(name, value)]), hashlib.sha256).digest()


def identity(name: bytes, value: bytes) -> list[bytes]:
    found = None
    if name == b"authorization":
        scheme, _, rest = value.partition(b" ")
        found = scoped(value) or shared_key(value) or signed(lower(scheme), rest)
    elif name == b"signature":
        found = labels(value) or signed(b"signature", value)
    elif name == b"signature-input":
        found = inputs(value)
    return found or [b"value", value]


def scoped(value: bytes) -> list[bytes] | None:
    scanner = Scanner(value)
    scheme = scanner.some(UPPER + DIGITS + b"-")
    words = scheme.split(b"-")
    if len(words) < 2 or b"" in words or not scanner.some(b" ") or not scanner.exact(b"Credential="):
        return None
    key = scanner.until(b"/,; ")
    if not key or not scanner.exact(b"/"):
        return None
    date = scanner.some(DIGITS + b"-")
    shape = bytes(ord("9") if byte in DIGITS else byte for byte in date)
    if shape not in (b"99999999", b"9999-99-99") or not scanner.exact(b"/"):
        return None
    scope = scanner.until(b",; ")
    for word in (b"SignedHeaders=", b"Signature="):
        if not scanner.exact(b","):
            return None
        scanner.some(b" ")
        if not scanner.exact(word):
            return None
        if not (scanner.until(b",= ") if word == b"SignedHeaders=" else scanner.some(BASE64)):
            return None
    return [b"scoped", scheme, key, scope] if scope and scanner.ended() else None


def shared_key(value: bytes) -> list[bytes] | None:
    scanner = Scanner(value)
    scheme = scanner.until(b" ")
    if scheme not in (b"SharedKey", b"SharedKeyLite") or not scanner.exact(b" "):
        return None
    account = scanner.until(b": ")
    if not account or not scanner.exact(b":") or not scanner.some(BASE64) or not scanner.ended():
        return None
    return [b"shared-key", scheme, account]


def signed(scheme: bytes, parameters: bytes) -> list[bytes] | None:
    known = signatures()
    if scheme not in known:
        return None
    naming, proof = known[scheme]
    scanner = Scanner(parameters)
    given: dict[bytes, bytes] = {}
    while True:
        scanner.some(b" ")
        name = lower(scanner.some(UPPER + LOWER + b"_"))
        if not name or not scanner.exact(b"=") or name in given or name not in naming + proof:
            return None
        value = scanner.quoted() if scanner.text[scanner.at : scanner.at + 1] == b'"' else scanner.until(b'",; ')
        if value is None:
            return None
        given[name] = value
        scanner.some(b" ")
        comma = scanner.exact(b",")
        if scanner.ended():
            break
        if not comma:
            return None
    if naming[0] not in given:
        return None
    found = [b"signed", scheme]
    for name in naming:
        if name in given:
            found += [name, given[name]]
    return found


def label(scanner: Scanner) -> bytes:
    if scanner.text[scanner.at : scanner.at + 1] not in [bytes([byte]) for byte in LABEL_START]:
        return b""
    return scanner.some(LABEL)


def labels(value: bytes) -> list[bytes] | None:
    scanner = Scanner(value)
    found = [b"labels"]
    while True:
        name = label(scanner)
        if not name or not scanner.exact(b"=:"):
            return None
        scanner.some(BASE64)
        if not scanner.exact(b":"):
            return None
        found.append(name)
        if scanner.ended():
            return found
        scanner.some(b" ")
        if not scanner.exact(b","):
            return None
        scanner.some(b" ")


def inputs(value: bytes) -> list[bytes] | None:
    scanner = Scanner(value)
    found = [b"inputs"]
    while True:
        name = label(scanner)
        if not name or not scanner.exact(b"=(") or not components(scanner):
            return None
        given: dict[bytes, bytes] = {}
        while scanner.exact(b";"):
            scanner.some(b" ")
            parameter = scanner.some(LOWER)
            if parameter in given or not scanner.exact(b"="):
                return None
            if parameter in (b"created", b"expires"):
                read: bytes | None = scanner.some(DIGITS) or None
            elif parameter in (b"alg", b"keyid", b"nonce", b"tag"):
                read = scanner.quoted()
            else:
                return None
            if read is None:
                return None
            given[parameter] = read
        if b"keyid" not in given:
            return None
        found += [name, given[b"keyid"], given.get(b"tag", b"")]
        scanner.some(b" ")
        comma = scanner.exact(b",")
        scanner.some(b" ")
        if scanner.ended():
            return found
        if not comma:
            return None


def components(scanner: Scanner) -> bool:
    scanner.some(b" ")
    while not scanner.exact(b")"):
        if scanner.quoted() is None:
            return False
        while scanner.exact(b";"):
            if not scanner.some(LOWER):
                return False
            if scanner.exact(b"=") and scanner.quoted() is None:
                return False
        scanner.some(b" ")
    return True


# --- vectors ------------------------------------------------------------------------------------------------------------


def of_vector(vector: dict[str, Any]) -> str:
    """The digest of one entry of tests/vectors/digest.json."""
    if "tool" in vector:
        # The vectors keep to JSON for which sorted, compact and unescaped is RFC 8785.
        params = json.dumps(vector["params"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        return digest_api(agent_id=vector["agent_id"], tool=vector["tool"], operation=vector["operation"], canonical_params=params)
    return digest(
        agent_id=vector["agent_id"],
        method=vector["method"],
        scheme=vector["scheme"],
        host=vector["host"],
        port=vector["port"],
        target=vector["target"].encode("latin-1"),
        headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in vector["headers"]],
        body=body_of(vector),
        key=bytes.fromhex(vector["key"]),
    )


def body_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["body_hex"]) if "body_hex" in vector else str(vector["body"]).encode()
