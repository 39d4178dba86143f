"""Encryption at rest: what Redis keeps of a token is worth nothing without the configuration's key.

Rule 1: AES-256-GCM, a new random nonce each time; the key is made of the configured text by
        scrypt, so that a short one is not guessed quickly. The place that a text is for is
        authenticated: it cannot be moved to another.
Rule 2: what cannot be decrypted is nothing: another key wrote it, or it was tampered with.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any

from router.errors import ConfigError

if TYPE_CHECKING:
    from router.secret import Secret

__all__ = ["Cipher"]

NONCE = 12
COST, BLOCK, MEMORY = 2**14, 8, 64 * 1024 * 1024


class Cipher:
    """Seals and opens texts for one namespace."""

    def __init__(self, key: Secret, *, name: str) -> None:
        """Derive the key, in some 30 ms.

        Raises:
            ConfigError: the package `cryptography` is missing.
        """
        try:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
        except ImportError:
            raise ConfigError(
                "share.key: it needs cryptography: pip install 'region-router[redis]'"
            ) from None
        derived = hashlib.scrypt(
            key.reveal().encode(),
            salt=f"region-router:{name}".encode(),
            n=COST,
            r=BLOCK,
            p=1,
            maxmem=MEMORY,
            dklen=32,
        )
        self._aead: Any = AESGCM(derived)

    def seal(self, text: str, *, place: str) -> bytes:
        """Return nonce and ciphertext."""
        nonce = os.urandom(NONCE)
        sealed: bytes = self._aead.encrypt(nonce, text.encode(), place.encode())
        return nonce + sealed

    def open(self, sealed: bytes, *, place: str) -> str | None:
        """Return the text, or None if this key never sealed it for this place."""
        try:
            text: bytes = self._aead.decrypt(sealed[:NONCE], sealed[NONCE:], place.encode())
            return text.decode()
        except Exception:  # noqa: BLE001 - whatever is wrong with it, it is not ours
            return None
