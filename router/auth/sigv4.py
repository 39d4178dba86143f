"""AWS Signature Version 4 with botocore, in the region of the endpoint that is asked.

Rule 1: botocore signs, we tell it the time: the steps of its `add_auth`, which reads this host's
        clock, and which logs what it signs.
Rule 2: Host, Content-Type and the `x-amz-` headers are signed: the rest may change on the way.
Rule 3: credentials are looked for (environment, profile, container, instance) in a thread behind
        the requests, again each minute, since those of a role end. Those at hand serve meanwhile.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.signing import SigV4Settings
    from router.departure import Signing

__all__ = ["SigV4", "load"]

LOOK_EVERY = 60.0
FIRST_RETRY, LONGEST_RETRY = 1.0, 30.0
FORMAT = "%Y%m%dT%H%M%SZ"
UNSIGNED = "UNSIGNED-PAYLOAD"
PAYLOAD = "X-Amz-Content-SHA256"
MADE_HERE = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})
NS = 10**9
log = logging.getLogger("router.auth")


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What botocore signs with; it is never shown."""

    access_key: str = field(repr=False)
    secret_key: str = field(repr=False)
    token: str | None = field(repr=False)


class SigV4:
    """Signs requests; `looks` tells whether its credentials have to be looked for."""

    def __init__(self, settings: SigV4Settings, *, find: Callable[[], Any] | None = None) -> None:
        """Take the `sign.sigv4` section; `find` looks for credentials as botocore does.

        Raises:
            ImportError: botocore is not installed.
        """
        load()
        self._settings = settings
        self._find = find or _Chain()
        self._credentials = _written(settings)
        self.looks = self._credentials is None
        self.unready = self.looks
        self._failure = "none were looked for yet"

    def __call__(self, signing: Signing) -> list[tuple[str, str]]:
        """Return the headers that prove the request.

        Raises:
            SigningError: there are no credentials, no region, or a body that can be read only once.
        """
        credentials = self._credentials
        if credentials is None:
            raise SigningError(f"sign.sigv4 has no credentials: {self._failure}; nothing was sent")
        service = self._settings.service or ""
        if signing.body is None and service != "s3":
            raise SigningError(
                "sign.sigv4 signs the body, and this one can be read only once: nothing was sent"
            )
        return _signed(signing, credentials, service, self._region(signing))

    def _region(self, signing: Signing) -> str:
        region = self._settings.region or (signing.region or "").partition(":")[2]
        if not region:
            raise SigningError(
                f"sign.sigv4 needs a region: write endpoint {signing.endpoint}'s as "
                "region: aws:us-east-1, or sign.sigv4.region; nothing was sent"
            )
        return region

    async def run(self) -> None:
        """Look for credentials, and again each minute."""
        retry = FIRST_RETRY
        while True:
            found = await self.look()
            await asyncio.sleep(LOOK_EVERY if found else retry)
            retry = FIRST_RETRY if found else min(LONGEST_RETRY, 2 * retry)

    async def look(self) -> bool:
        """Look for credentials once; return whether there are any."""
        failure, found = "botocore finds none", None
        try:
            found = await asyncio.to_thread(self._find)
        except Exception as error:  # noqa: BLE001 - botocore's words may hold what it was given
            failure = f"botocore raised {type(error).__name__}"
        self.unready = False
        if found is None:
            if failure != self._failure:
                log.warning("sign.sigv4: no credentials: %s", failure)
            self._failure = failure
            return False
        self._failure = ""
        self._credentials = _Credentials(found.access_key, found.secret_key, found.token)
        return True


def load() -> None:
    """Import botocore, which takes a tenth of a second, before a request waits for it.

    Raises:
        ImportError: it is not installed.
    """
    importlib.import_module("botocore.auth")
    importlib.import_module("botocore.awsrequest")


def _written(settings: SigV4Settings) -> _Credentials | None:
    """Return the credentials of the configuration, if they stand there."""
    access, secret, token = settings.access_key, settings.secret_key, settings.session_token
    if access is None or secret is None:
        return None
    return _Credentials(access.reveal(), secret.reveal(), None if token is None else token.reveal())


class _Chain:
    """Finds credentials as botocore does; its session keeps those of a role until they end."""

    def __init__(self) -> None:
        self._found: Any = None

    def __call__(self) -> Any:
        """Return access key, secret key and token, or None. It may ask the network."""
        if self._found is None:
            from botocore.session import Session  # noqa: PLC0415 - loaded when used

            self._found = Session().get_credentials()
        return None if self._found is None else self._found.get_frozen_credentials()


def _signed(
    signing: Signing, credentials: _Credentials, service: str, region: str
) -> list[tuple[str, str]]:
    from botocore.auth import S3SigV4Auth, SigV4Auth  # noqa: PLC0415 - loaded when used
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415

    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    botocore: Any = kind(credentials, service, region)
    given = _given(signing)
    request: Any = AWSRequest(signing.method, signing.url, given, signing.body or b"")
    request.context["timestamp"] = time.strftime(FORMAT, time.gmtime(signing.stamp.ns // NS))
    botocore._modify_request_before_signing(request)  # noqa: SLF001 - rule 1
    if signing.body is None:
        del request.headers[PAYLOAD]
        request.headers[PAYLOAD] = UNSIGNED
    canonical = botocore.canonical_request(request)
    signature = botocore.signature(botocore.string_to_sign(request, canonical), request)
    botocore._inject_signature_to_request(request, signature)  # noqa: SLF001
    return [(n, v) for n, v in request.headers.items() if given.get(n) != v]


def _given(signing: Signing) -> dict[str, str]:
    """Return the headers that are signed; one that is there twice counts as a list."""
    given: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value in signing.headers:
        if _is_signed(name):
            first = names.setdefault(name.lower(), name)
            given[first] = f"{given[first]},{value}" if first in given else value
    return given


def _is_signed(name: str) -> bool:
    lower = name.lower()
    return lower not in MADE_HERE and (
        lower in {"host", "content-type"} or lower.startswith("x-amz-")
    )
