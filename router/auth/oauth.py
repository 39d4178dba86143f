"""One token request over the network.

Rule 1: everything that can go wrong becomes TokenError with a sentence of ours. The HTTP library's
        errors hold the request, and so the credentials: none is chained, none is quoted.
Rule 2: the answer is small or refused: at most 64 KiB, uncompressed, within `timeout` in all.
Rule 3: credentials go to the configured address only: redirects are not followed, and proxies and
        `.netrc` files of the environment are not asked.

httpx's transport is used without its client, which would follow, remember and log more than this
needs; the client logs each URL with its query.
"""

from __future__ import annotations

import asyncio
import base64
import socket
import ssl
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

import httpx

from router.auth.grant import read_error, read_grant
from router.endpoint import parse_origin
from router.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.auth.grant import Grant, TokenForm
    from router.config.settings import TokenSettings

__all__ = ["OAuthFetcher"]

MOST_BYTES = 64 * 1024
DEEPEST_CAUSE = 10
WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (socket.gaierror, "has a name that does not resolve"),
    (ConnectionRefusedError, "refuses connections"),
    (httpx.TimeoutException, "is too slow"),
    (httpx.ConnectError, "cannot be connected to"),
    (httpx.ProtocolError, "broke the HTTP protocol or closed before it answered"),
)


class OAuthFetcher:
    """Asks the configured token server; call it inside an asyncio loop."""

    def __init__(
        self, settings: TokenSettings, *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._settings = settings
        self._ssl = ssl_context or httpx.create_ssl_context()
        self._server = parse_origin(settings.url.partition("?")[0]).authority

    async def __call__(self, form: TokenForm) -> Grant:
        """Return what the server grants.

        Raises:
            TokenError: it cannot be reached, is too slow, refuses, or answers with nonsense.
        """
        failure = ""
        try:
            async with asyncio.timeout(self._settings.timeout):
                status, body = await self._exchange(form)
        except TimeoutError:
            failure = f"gave no answer within {self._settings.timeout:g} s"
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = _in_words(error)
        if failure:
            raise self._error(failure)
        if not httpx.codes.is_success(status):
            raise self._error(_refusal(status, body))
        return read_grant(body)

    def _error(self, what: str) -> TokenError:
        return TokenError(f"the token server {self._server} {what}")

    async def _exchange(self, form: TokenForm) -> tuple[int, bytes]:
        """Return status and body of one POST over a connection of its own."""
        async with httpx.AsyncHTTPTransport(verify=self._ssl) as transport:
            response = await transport.handle_async_request(self._build(form))
            try:
                return response.status_code, await self._read(response)
            finally:
                await response.aclose()

    async def _read(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._error("compressed its answer although it was asked not to")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > MOST_BYTES:
                raise self._error(f"sent more than {MOST_BYTES} bytes")
        return bytes(body)

    def _build(self, form: TokenForm) -> httpx.Request:
        fields, headers = form.fields(), {"Accept": "application/json"}
        secret = self._settings.client_secret
        if secret is not None and self._settings.auth == "client_secret_basic":
            headers["Authorization"] = _basic(self._settings.client_id, secret.reveal())
        else:
            fields["client_id"] = self._settings.client_id
        if secret is not None and self._settings.auth == "client_secret_post":
            fields["client_secret"] = secret.reveal()
        headers["Accept-Encoding"] = "identity"
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        headers["User-Agent"] = "region-router"
        timeout = httpx.Timeout(self._settings.timeout).as_dict()
        return httpx.Request(
            "POST",
            self._settings.url,
            headers=headers,
            content=urlencode(fields).encode(),
            extensions={"timeout": timeout},
        )


def _basic(client_id: str, secret: str) -> str:
    """Return HTTP Basic credentials; both parts are form-encoded first, as RFC 6749 2.3.1 says.

    A space becomes %20 rather than +: every form decoder reads that, and so do the servers that
    only undo percent signs.
    """
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _refusal(status: int, body: bytes) -> str:
    if httpx.codes.is_redirect(status):
        return f"redirects ({status}): set token.url to where it is"
    code = read_error(body)
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
