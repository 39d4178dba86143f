"""The one TLS context: made once, shared by every pool, because making one takes 50 ms.

Rule: certificates and host names are always verified; there is no switch to turn that off. Nobody
      is asked for a passphrase: a key that needs one is refused.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from router.errors import ConfigError
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.settings import TlsSettings

__all__ = ["TlsContext"]


class TlsContext:
    """Makes the context when the first endpoint needs it."""

    def __init__(self, settings: TlsSettings) -> None:
        self._settings = settings
        self._context: ssl.SSLContext | None = None
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Take a lock of one's own; the parent's may be held for ever."""
        self._lock = threading.Lock()

    def __call__(self) -> ssl.SSLContext:
        """Return the context.

        Raises:
            ConfigError: a file of `tls:` cannot be read as what it should be.
        """
        with self._lock:
            if self._context is None:
                self._context = self._make()
            return self._context

    def _make(self) -> ssl.SSLContext:
        settings = self._settings
        key, authorities = ("tls.ca", settings.ca) if settings.ca else _public_authorities()
        with _named(key, authorities):
            context = ssl.create_default_context(cafile=authorities)
        if settings.cert is not None:
            with _named("tls.cert, tls.key", settings.cert):
                context.load_cert_chain(settings.cert, settings.key, password="")
        context.set_alpn_protocols(["http/1.1"])
        return context


@contextlib.contextmanager
def _named(key: str, path: Path | str) -> Iterator[None]:
    if Path(path).exists() and not Path(path).is_file():
        raise ConfigError(f"{key}: {path} is not a file")  # reading a pipe would wait for ever
    try:
        yield
    except (OSError, ssl.SSLError):
        raise ConfigError(f"{key}: {path} cannot be read as PEM: check the file") from None


def _public_authorities() -> tuple[str, str]:
    """Return where the setting comes from, and the file."""
    import certifi  # noqa: PLC0415 - loaded when the first https endpoint is used

    chosen = os.environ.get("SSL_CERT_FILE")
    return ("SSL_CERT_FILE", chosen) if chosen else ("certifi", certifi.where())
