"""Certificates for tests: an authority, good certificates, and bad ones of every kind.

    certificates = Certificates()
    with Regions(tls=certificates, near=0.005) as regions:
        ca = certificates.write_ca(tmp_path)                     # for `tls: {ca: …}`
        regions["near"].fault = OtherCertificate(certificates.expired("near.test"))

Rule 1: keys are made when first needed and kept, since each takes a while; made by trustme, which
        is imported no earlier: pip install 'region-router[testing]'.
Rule 2: a region's certificate is for `<region>.test`, the host of its URL.
"""

from __future__ import annotations

import functools
import importlib
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import trustme

    from router.config.settings import TlsSettings

__all__ = ["Certificates"]

LONG_AGO = datetime(2001, 1, 1, tzinfo=UTC)


class Certificates:
    """An authority that nobody trusts but who is given its file, and contexts for servers."""

    def __init__(self) -> None:
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}

    @functools.cached_property
    def _authority(self) -> trustme.CA:
        return _new_authority()

    @functools.cached_property
    def _stranger(self) -> trustme.CA:
        return _new_authority()

    @property
    def ca_pem(self) -> bytes:
        """The authority's certificate, as `ssl.create_default_context(cadata=…)` takes it."""
        return self._authority.cert_pem.bytes()

    def write_ca(self, folder: Path) -> Path:
        """Write the authority's certificate into the folder, and return the file's path."""
        path = Path(folder) / "ca.pem"
        self._authority.cert_pem.write_to_path(path)
        return path

    def settings(self, folder: Path) -> TlsSettings:
        """Return the `tls` section of a Config that trusts this authority."""
        config = importlib.import_module("router.config.settings")
        made: TlsSettings = config.TlsSettings(ca=str(self.write_ca(folder)))
        return made

    def client_context(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self.ca_pem.decode())

    def good(self, name: str) -> ssl.SSLContext:
        """Return a server's context for this host name."""
        return self._context("good", name)

    def expired(self, name: str) -> ssl.SSLContext:
        """Return one whose certificate ended in January 2001."""
        return self._context("expired", name)

    def wrong_name(self) -> ssl.SSLContext:
        """Return one whose certificate is for `wrong.test`."""
        return self._context("good", "wrong.test")

    def untrusted(self, name: str) -> ssl.SSLContext:
        """Return one whose certificate is from another authority, as a self-signed one is."""
        return self._context("untrusted", name)

    def _context(self, kind: str, name: str) -> ssl.SSLContext:
        if (kind, name) not in self._contexts:
            self._contexts[kind, name] = self._made(kind, name)
        return self._contexts[kind, name]

    def _made(self, kind: str, name: str) -> ssl.SSLContext:
        authority = self._stranger if kind == "untrusted" else self._authority
        ends = LONG_AGO if kind == "expired" else None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name, not_after=ends).configure_cert(context)
        return context


def _new_authority() -> trustme.CA:
    try:
        made: trustme.CA = importlib.import_module("trustme").CA()
    except ImportError:
        raise ImportError(
            "trustme is not installed: pip install 'region-router[testing]'"
        ) from None
    return made
