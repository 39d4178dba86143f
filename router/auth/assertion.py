"""Assertions that prove a client by its private key: `private_key_jwt`, RFC 7523 and OIDC Core 9.

Rule 1: each assertion is for one token endpoint (`aud`), is used once (`jti`) and lives a minute,
        counted on the true clock: a server refuses one from the future.
Rule 2: the key is read when it is used, so that one that was rotated in its file is the one that
        signs; reading and signing run in a thread, beside the background loop.
Rule 3: no sentence and no exception holds the key, or what the library said about it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from router.config.sources import LARGEST_SECRET, read_bounded
from router.errors import TokenError

if TYPE_CHECKING:
    from router.config.settings import TokenSettings

__all__ = ["Assertions", "load"]

KIND = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFETIME = 60
BY_CURVE = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
ENCRYPTED = ("BEGIN ENCRYPTED", "Proc-Type: 4,ENCRYPTED")


class Assertions:
    """Signs assertions with the client's key."""

    def __init__(self, settings: TokenSettings) -> None:
        """Take the `token` section.

        Raises:
            ImportError: joserfc is not installed.
        """
        load()
        self._settings = settings

    async def fields(self, url: str, now: float) -> dict[str, str]:
        """Return the form's fields that prove the client to the token endpoint `url`.

        `now` is the true time in seconds since 1970.

        Raises:
            TokenError: the key cannot be read, or is not one that signs.
        """
        assertion = await asyncio.to_thread(self._signed, url, now)
        return {
            "client_id": self._settings.client_id,
            "client_assertion_type": KIND,
            "client_assertion": assertion,
        }

    def _signed(self, url: str, now: float) -> str:
        from joserfc import jwt  # noqa: PLC0415 - the extra may be missing

        key = self._key()
        header = {"alg": self._settings.algorithm or _algorithm(key), "typ": "JWT"}
        if self._settings.key_id is not None:
            header["kid"] = self._settings.key_id
        assertion = None
        try:
            claims = self._claims(url, int(now))
            assertion = jwt.encode(header, claims, key, registry=_registry(header["alg"]))
        except Exception:  # noqa: BLE001, S110 - rule 3: the library's words may hold the key
            pass
        if assertion is None:
            raise TokenError(
                f"{self._where} cannot sign with {header['alg']}: "
                "take token.algorithm out, or write one for this kind of key"
            )
        return assertion

    def _claims(self, url: str, now: int) -> dict[str, Any]:
        client = self._settings.client_id
        return {
            "iss": client,
            "sub": client,
            "aud": self._settings.assertion_audience or url.partition("?")[0],
            "jti": secrets.token_urlsafe(24),
            "iat": now,
            "exp": now + LIFETIME,
        }

    def _key(self) -> Any:
        """Return the key as the library takes it; what is wrong with it is said in our words."""
        from joserfc import jwk  # noqa: PLC0415 - the extra may be missing

        text, key = self._text(), None
        try:
            kind = _kind(text)
            key = jwk.import_key(json.loads(text) if kind is None else text, kind)
        except Exception:  # noqa: BLE001, S110 - rule 3: the library's words may hold the key
            pass
        if key is None or not getattr(key, "is_private", False):
            raise TokenError(self._unusable(text))
        return key

    @property
    def _where(self) -> str:
        path = self._settings.private_key_file
        return "token.private_key" if path is None else f"token.private_key_file: the file {path}"

    def _unusable(self, text: str) -> str:
        """Return what to do about a key that is none, without a word of it."""
        if any(mark in text for mark in ENCRYPTED):
            return f"{self._where} is encrypted: write the key without a passphrase"
        return f"{self._where} is no private key: it has to be PEM or a JWK, of RSA, EC or Ed25519"

    def _text(self) -> str:
        settings = self._settings
        if settings.private_key is not None:
            return settings.private_key.reveal().replace("\\n", "\n").strip()
        problem = ""
        try:
            return read_bounded(str(settings.private_key_file), most=LARGEST_SECRET).decode()
        except UnicodeDecodeError:
            problem = self._unusable("")
        except ValueError as error:
            problem = f"token.private_key_file: {error}"
        raise TokenError(problem)


def _registry(algorithm: str) -> Any:
    """Return what lets one algorithm pass, and does not warn of `EdDSA`: older servers want it."""
    from joserfc.jws import JWSRegistry  # noqa: PLC0415 - the extra may be missing

    class Registry(JWSRegistry):
        def get_alg(self, name: str) -> Any:
            return self.algorithms[name]

    return Registry(algorithms=[algorithm])


def load() -> None:
    """Import joserfc, which takes a tenth of a second, before a request waits for a token.

    Raises:
        ImportError: it is not installed.
    """
    importlib.import_module("joserfc.jwk")
    importlib.import_module("joserfc.jwt")


def _kind(text: str) -> Any:
    """Return which kind of key a PEM text holds, as the library names it; None: it is a JWK.

    Raises:
        ValueError: it is a key that signs no assertion.
    """
    if text.lstrip().startswith("{"):
        return None
    from cryptography.hazmat.primitives.asymmetric import ec, rsa  # noqa: PLC0415 - as joserfc
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415
        load_pem_private_key,
    )

    key = load_pem_private_key(text.encode(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    return "EC" if isinstance(key, ec.EllipticCurvePrivateKey) else "OKP"


def _algorithm(key: Any) -> str:
    """Return the usual algorithm of a key."""
    if key.key_type == "RSA":
        return "RS256"
    if key.key_type == "EC":
        return BY_CURVE.get(key.curve_name, "ES256")
    return "Ed25519"  # RFC 9864; older servers want `algorithm: EdDSA`
