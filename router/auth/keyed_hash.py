"""A keyed hash over a template, as exchanges ask for it: HMAC, RFC 2104.

Rule 1: the time is that of the attempt (`departure`), in the header or parameter as in the hash.
Rule 2: what is signed is what leaves: path and query as they stand in the request line, encoded.
Rule 3: a parameter that is made here is there once: the caller's of that name go.
Rule 4: the key is opened when it is used, and no sentence holds it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

from router.clock.stamp import write
from router.config.signing import key_bytes
from router.departure import Signed
from router.errors import SigningError

if TYPE_CHECKING:
    from router.config.signing import HmacSettings
    from router.departure import Signing

__all__ = ["KeyedHash"]


class KeyedHash:
    """Signs what the template says."""

    def __init__(self, settings: HmacSettings) -> None:
        """Take the `sign.hmac` section."""
        self._settings = settings

    def __call__(self, signing: Signing) -> list[tuple[str, str]] | Signed:
        """Return the headers, or the query, that prove the request.

        Raises:
            SigningError: the template has the body, and that can be read only once.
        """
        settings = self._settings
        timestamp = write(signing.stamp.ns, settings.timestamp)
        headers = []
        path, _, query = signing.target.partition("?")
        query = _without(query, settings.parameter)
        if settings.timestamp_header is not None:
            headers.append((settings.timestamp_header, timestamp))
        if settings.timestamp_parameter is not None:
            query = _with(query, settings.timestamp_parameter, timestamp)
        signature = self._signature(self._text(signing, path, query, timestamp))
        if settings.parameter is not None:
            return Signed(_with(query, settings.parameter, signature), headers)
        assert settings.header is not None
        headers.append((settings.header, signature))
        return headers if settings.timestamp_parameter is None else Signed(query, headers)

    def _text(self, signing: Signing, path: str, query: str, timestamp: str) -> bytes:
        template = self._settings.template
        values = {
            "timestamp": timestamp.encode("ascii"),
            "method": signing.method.encode("ascii"),
            "host": signing.url.partition("://")[2].partition("/")[0].encode("ascii"),
            "path": path.encode("ascii"),
            "query": query.encode("ascii"),
            "target": (f"{path}?{query}" if query else path).encode("ascii"),
        }
        if "{body" in template:
            values["body"] = _body(signing)
            values["body_sha256"] = hashlib.sha256(values["body"]).hexdigest().encode("ascii")
        return _filled(template, values)

    def _signature(self, text: bytes) -> str:
        digest = hmac.digest(key_bytes(self._settings) or b"", text, self._settings.algorithm)
        return (
            digest.hex() if self._settings.encoding == "hex" else base64.b64encode(digest).decode()
        )


def _body(signing: Signing) -> bytes:
    if signing.body is None:
        raise SigningError(
            "sign.hmac signs the body, and this one can be read only once: nothing was sent"
        )
    return signing.body


def _filled(template: str, values: dict[str, bytes]) -> bytes:
    """Return a template with its placeholders filled; a body is bytes of any kind."""
    parts = []
    rest = template
    while rest:
        before, brace, rest = _until_brace(rest)
        parts.append(before.encode())
        if brace in ("{{", "}}"):
            parts.append(brace[:1].encode())
        elif brace:
            name, _, rest = rest.partition("}")
            parts.append(values[name])
    return b"".join(parts)


def _until_brace(text: str) -> tuple[str, str, str]:
    """Return what stands before the first brace, the brace (or two that mean one), and the rest."""
    at = min((i for i in (text.find("{"), text.find("}")) if i >= 0), default=len(text))
    brace = text[at : at + 2]
    if brace not in ("{{", "}}"):
        brace = brace[:1]
    return text[:at], brace, text[at + len(brace) :]


def _with(query: str, name: str, value: str) -> str:
    """Return the query with a parameter at its end, in place of those of its name."""
    query = _without(query, name)
    return f"{query}{'&' if query else ''}{name}={quote(value, safe='')}"


def _without(query: str, name: str | None) -> str:
    """Return the query without a parameter, which would speak beside the one that is signed."""
    pairs = query.split("&")
    kept = [pair for pair in pairs if unquote_plus(pair.partition("=")[0]) != name]
    return query if len(kept) == len(pairs) else "&".join(kept)
