"""The same body to every reader, written otherwise."""

import json
from typing import Any


def same_json(value: Any, *, backwards: bool = False, escaped: bool = False, blanks: int = 0) -> bytes:
    """Other blanks, another order of names, names in escapes."""
    if isinstance(value, list):
        items = [same_json(item, backwards=backwards, escaped=escaped, blanks=blanks) for item in value]
        return b"[" + (b" ,\n" if blanks else b",").join(items) + b"]"
    if not isinstance(value, dict):
        return json.dumps(value).encode()
    pairs = [
        (_name(name, escaped) + b" " * blanks + b":" + same_json(item, backwards=backwards, escaped=escaped, blanks=blanks))
        for name, item in value.items()
    ]
    return b"{" + b",".join(pairs[:: -1 if backwards else 1]) + b"}"


def _name(name: str, escaped: bool) -> bytes:
    if not escaped:
        return json.dumps(name).encode()
    units = name.encode("utf-16-be")
    return ('"' + "".join(f"\\u{units[at]:02x}{units[at + 1]:02X}" for at in range(0, len(units), 2)) + '"').encode()


def same_form(body: bytes) -> bytes:
    """Everything escaped but what separates. `body`: a form without escapes."""
    return b"".join(bytes([byte]) if byte in b"&=+" else b"%%%02x" % byte for byte in body)
