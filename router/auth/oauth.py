"""One token request over the network.

Rule 1: everything that can go wrong becomes TokenError with a sentence of ours. The HTTP library's
        errors hold the request, and so the credentials: none is chained, none is quoted.
Rule 2: the answer is small or refused: at most 64 KiB, uncompressed, within `timeout` in all.
Rule 3: credentials go to the configured address only: redirects are not followed, and proxies and
        `.netrc` files of the environment are not asked.
Rule 4: what the HTTP library logs of it is dropped: at DEBUG it tells the answer's headers, and a
        server may repeat a credential there.

httpx's transport is used without its client, which would follow, remember and log more than this
needs; the client logs each URL with its query.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import socket
import ssl
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import httpx

from router.auth.grant import RefusedError, read_error, read_grant, refusal_of
from router.endpoint import parse_origin
from router.errors import TokenError
from router.failover.later import retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.auth.assertion import Assertions
    from router.auth.grant import Grant, TokenForm
    from router.config.settings import TokenSettings

__all__ = ["OAuthFetcher"]

MOST_BYTES = 64 * 1024
UNLOGGED: ContextVar[bool] = ContextVar("UNLOGGED", default=False)
DEEPEST_CAUSE = 10
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "has a name that does not resolve"),
    (ConnectionRefusedError, "refuses connections"),
    (httpx.TimeoutException, "is too slow"),
    (httpx.ConnectError, "cannot be connected to"),
    (httpx.ProtocolError, "broke the HTTP protocol or closed before it answered"),
)


def _is_logged(_: logging.LogRecord) -> bool:
    return not UNLOGGED.get()


for _name in ("connection", "http11"):
    logging.getLogger(f"httpcore.{_name}").addFilter(_is_logged)


class OAuthFetcher:
    """Asks the token server that a form names; call it inside an asyncio loop."""

    def __init__(
        self,
        settings: TokenSettings,
        *,
        ssl_context: ssl.SSLContext | None = None,
        assertions: Assertions | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take what the client is.

        Args:
            settings: the `token:` section.
            ssl_context: whom to trust.
            assertions: signs what proves the client, for `private_key_jwt`.
            wall: tells the true time in seconds since 1970.
        """
        self._settings = settings
        self._ssl = ssl_context or httpx.create_ssl_context()
        self._assertions = assertions
        self._wall = wall

    async def __call__(self, form: TokenForm) -> Grant:
        """Return what the server grants.

        Raises:
            RefusedError: it is well, and refuses the client or what it asks for.
            TokenError: it cannot be reached, is too slow, has trouble, or answers with nonsense.
        """
        url = form.url or self._settings.urls[0]
        server = f"the token server {parse_origin(url.partition('?')[0]).authority}"
        failure = ""
        try:
            async with asyncio.timeout(self._settings.timeout):
                request = await self._build(form, url)
                status, headers, body = await self._exchange(request)
        except TimeoutError:
            failure = f"gave no answer within {self._settings.timeout:g} s"
        except Unfit as error:
            failure = str(error)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = _in_words(error)
        if failure:
            raise TokenError(f"{server} {failure}")
        if not httpx.codes.is_success(status):
            raise self._refused(server, status, headers, body)
        return _granted(server, body)

    def _refused(self, server: str, status: int, headers: httpx.Headers, body: bytes) -> TokenError:
        later, code = retry_after(headers.raw, self._wall), read_error(body)
        words = f"{server} {_refusal(status, code)}"
        if code is not None and refusal_of(status, code):
            return RefusedError(words, code=code, retry_after=later)
        return TokenError(words, retry_after=later)

    async def _exchange(self, request: httpx.Request) -> tuple[int, httpx.Headers, bytes]:
        """Return status, headers and body of one POST over a connection of its own."""
        before = UNLOGGED.set(True)
        try:
            async with httpx.AsyncHTTPTransport(verify=self._ssl) as transport:
                response = await transport.handle_async_request(request)
                try:
                    return response.status_code, response.headers, await _read(response)
                finally:
                    await response.aclose()
        finally:
            UNLOGGED.reset(before)

    async def _build(self, form: TokenForm, url: str) -> httpx.Request:
        fields, headers = form.fields(), {"Accept": "application/json"}
        await self._prove(fields, headers, url)
        headers["Accept-Encoding"] = "identity"
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["User-Agent"] = "region-router"
        timeout = httpx.Timeout(self._settings.timeout).as_dict()
        content = urlencode(fields).encode()
        return httpx.Request(
            "POST", url, headers=headers, content=content, extensions={"timeout": timeout}
        )

    async def _prove(self, fields: dict[str, str], headers: dict[str, str], url: str) -> None:
        """Add what proves the client, as `token.auth` says."""
        settings, secret = self._settings, self._settings.client_secret
        if self._assertions is not None:
            fields |= await self._assertions.fields(url, self._wall())
        elif secret is not None and settings.auth == "client_secret_basic":
            headers["Authorization"] = _basic(settings.client_id, secret.reveal())
        else:
            fields["client_id"] = settings.client_id
        if secret is not None and settings.auth == "client_secret_post":
            fields["client_secret"] = secret.reveal()


class Unfit(Exception):  # noqa: N818 - a fact on its way to the sentence that names the server
    """The answer is not one that is read; says why, after the server's name."""


async def _read(response: httpx.Response) -> bytes:
    if response.headers.get("content-encoding", "identity").lower() != "identity":
        raise Unfit("compressed its answer although it was asked not to")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MOST_BYTES:
            raise Unfit(f"sent more than {MOST_BYTES} bytes")
    return bytes(body)


def _basic(client_id: str, secret: str) -> str:
    """Return HTTP Basic credentials; both parts are form-encoded first, as RFC 6749 2.3.1 says.

    A space becomes %20 rather than +: every form decoder reads that, and so do the servers that
    only undo percent signs.
    """
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _granted(server: str, body: bytes) -> Grant:
    """Return what an answer grants; what is wrong with it is said with the server's name."""
    try:
        return read_grant(body)
    except TokenError as error:
        problem = str(error).removeprefix("the token server")
    raise TokenError(f"{server}{problem}")


def _refusal(status: int, code: str | None) -> str:
    if httpx.codes.is_redirect(status):
        return f"redirects ({status}): set token.url to where it is"
    return f"answered {status} ({code})" if code else f"answered {status}"


def _in_words(error: BaseException) -> str:
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"has a certificate that is not trusted: {cause.verify_message}"
    for kind, words in WORDS:
        if any(isinstance(cause, kind) for cause in causes):
            return words
    return "broke the connection"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what led to it, nearest first."""
    for _ in range(DEEPEST_CAUSE):
        yield error
        cause = error.__cause__ or error.__context__
        if cause is None:
            return
        error = cause
