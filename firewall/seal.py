"""Sealing: AES-256-GCM (NIST SP 800-38D) under keys derived from the master key, one for each purpose, by HKDF-SHA256 (RFC 5869).

A sealed value is `version (1) ‖ key id (4) ‖ nonce (12) ‖ ciphertext and tag`; purpose and record are associated data, so that
a value cannot be moved to another record or put to another use.
"""

import hashlib
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION = b"\x01"
_NONCE = 12
_KEY_ID = 4
_TAG = 16


class Unsealable(Exception):
    """The value was sealed with another master key, or for another record, or it was changed."""


class Sealer:
    """Seals with the current master key; opens what the current or the previous one sealed."""

    def __init__(self, master: bytes, previous: bytes | None = None) -> None:
        self._masters = {_key_id(key): key for key in (previous, master) if key is not None}
        self._current = _key_id(master)
        self._ciphers: dict[tuple[bytes, str], AESGCM] = {}

    def derive(self, purpose: str, length: int = 32) -> bytes:
        """A key for `purpose` alone, of `length` bytes, from the current master key."""
        return _hkdf(self._masters[self._current], purpose.encode(), length)

    def seal(self, purpose: str, record: str, plain: bytes) -> bytes:
        nonce = os.urandom(_NONCE)
        return (
            VERSION
            + self._current
            + nonce
            + self._cipher(self._current, purpose).encrypt(nonce, plain, _associated(purpose, record))
        )

    def open(self, purpose: str, record: str, sealed: bytes) -> bytes:
        """The plain value. Raises Unsealable."""
        key_id = sealed[1 : 1 + _KEY_ID]
        if sealed[:1] != VERSION or key_id not in self._masters:
            raise Unsealable(f"{purpose}: sealed with a master key that is not here")
        start = 1 + _KEY_ID
        if len(sealed) < start + _NONCE + _TAG:
            raise Unsealable(f"{purpose}: the sealed value is cut short")
        try:
            return self._cipher(key_id, purpose).decrypt(
                sealed[start : start + _NONCE], sealed[start + _NONCE :], _associated(purpose, record)
            )
        except InvalidTag:
            raise Unsealable(f"{purpose}: the sealed value does not belong to this record or was changed") from None

    def _cipher(self, key_id: bytes, purpose: str) -> AESGCM:
        cipher = self._ciphers.get((key_id, purpose))
        if cipher is None:
            cipher = AESGCM(_hkdf(self._masters[key_id], purpose.encode(), 32))
            self._ciphers[key_id, purpose] = cipher
        return cipher


def _associated(purpose: str, record: str) -> bytes:
    return f"aaf-seal/v1\n{purpose}\n{record}".encode()


def _key_id(master: bytes) -> bytes:
    return hashlib.sha256(b"aaf-master-key-id/v1\n" + master).digest()[:_KEY_ID]


def _hkdf(master: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=info).derive(master)
