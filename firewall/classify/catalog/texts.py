"""Fact texts → an index, in memory: users' catalogs, and what `firewall.backends.catalogs` writes to a file."""

import hashlib
from collections.abc import Iterable

from firewall.classify.catalog.build import build
from firewall.classify.catalog.facts import parse_facts, revision_of
from firewall.classify.catalog.index import BinaryIndex
from firewall.classify.catalog.layout import MAGIC

MAX_TEXTS = 64 << 20
"""Characters of all texts together."""


def index_of(texts: Iterable[str]) -> BinaryIndex:
    """Raises BadFacts for a text that is none, ValueError for too much of them."""
    return BinaryIndex(binary_of(texts))


def binary_of(texts: Iterable[str], key: bytes = bytes(32)) -> bytes:
    """`key`: stored in the head (`head.texts_of`). Raises as `index_of` does."""
    kept = list(texts)
    if sum(map(len, kept)) > MAX_TEXTS:
        raise ValueError(f"all catalogs together have more than {MAX_TEXTS} characters")
    return build(((parse_facts(text), revision_of(text)) for text in kept), key)


def key_of(texts: Iterable[tuple[str, bytes]], maker: bytes) -> bytes:
    """SHA-256 over names and texts, and over what makes the binary of them: another maker's work is made anew."""
    digest = hashlib.sha256(MAGIC + hashlib.sha256(maker).digest())
    for name, data in sorted(texts):
        digest.update(f"{len(name)}:{name}:{len(data)}:".encode() + hashlib.sha256(data).digest())
    return digest.digest()
