"""One token request over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import logging
import re
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from router.auth.grant import TokenForm
from router.auth.oauth import OAuthFetcher
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret
from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.auth.grant import Grant

STRANGE = "a+b %/:é&=?\N{SNOWMAN}"


NOBODY_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made in a hundredth of the time


def ask(url: str, *, ssl_context: ssl.SSLContext | None = None, **changes: Any) -> Grant:
    values: dict[str, Any] = {"client_id": "demo", "client_secret": "demo-secret", "timeout": 5.0}
    settings = TokenSettings(url=url, **(values | changes))
    form = TokenForm.of(settings, settings.refresh_token)
    return asyncio.run(OAuthFetcher(settings, ssl_context=ssl_context or NOBODY_TRUSTED)(form))


def read_request(stream: socket.socket) -> None:
    """Read one request to its end: closing with bytes unread would reset the answer."""
    head, end, body = stream.recv(65536).partition(b"\r\n\r\n")
    while not end and (more := stream.recv(65536)):
        head, end, body = (head + more).partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    missing = int(length[1]) - len(body) if length else 0
    while missing > 0 and (more := stream.recv(missing)):
        missing -= len(more)


@contextmanager
def scripted(answer: bytes, *, context: ssl.SSLContext | None = None) -> Iterator[str]:
    """Listen, take one request, send `answer` and close; yield the address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        try:
            with context.wrap_socket(peer, server_side=True) if context else peer as stream:
                read_request(stream)
                stream.sendall(answer)
        except OSError:
            pass  # the client left, as some tests want

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join(10)
        listener.close()


@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
def test_strange_credentials_arrive_as_they_are(auth: str) -> None:
    with TokenServer(client_id=STRANGE, client_secret=STRANGE + ":") as server:
        grant = ask(server.url, client_id=STRANGE, client_secret=STRANGE + ":", auth=auth)
        assert server.accepts(grant.access_token.reveal())
        assert grant.lifetime == 3600


def test_a_refresh_token_is_spent_and_replaced() -> None:
    with TokenServer() as server:
        first = server.refresh_token
        grant = ask(server.url, grant="refresh_token", refresh_token=first)
        assert grant.refresh_token == Secret(server.refresh_token)
        assert server.refresh_token != first
        with pytest.raises(TokenError, match=r"answered 400 \(invalid_grant\)$"):
            ask(server.url, grant="refresh_token", refresh_token=first)


def test_a_public_client_names_itself_in_the_form() -> None:
    with TokenServer(client_secret="") as server:
        grant = ask(
            server.url,
            client_secret=None,
            grant="refresh_token",
            refresh_token=server.refresh_token,
        )
        assert server.accepts(grant.access_token.reveal())


def test_the_query_of_the_url_is_sent_and_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with TokenServer() as server:
        assert ask(f"{server.url}?key=planted").access_token
        server.status = 500
        with pytest.raises(TokenError) as caught:
            ask(f"{server.url}?key=planted")
    assert str(caught.value) == f"the token server 127.0.0.1:{server.port} answered 500"
    assert "planted" not in caplog.text


@pytest.mark.parametrize(
    ("status", "raw", "words"),
    [
        (401, b'{"error": "invalid_client", "error_description": "planted"}', "(invalid_client)"),
        (400, b'{"error": "planted"}', "answered 400"),
        (403, b"planted", "answered 403"),
        (429, b"", "answered 429"),
        (500, b"[" * 60_000, "answered 500"),
        (503, b'{"error": "temporarily_unavailable"}', "answered 503 (temporarily_unavailable)"),
        (302, b"", "redirects (302): set token.url to where it is"),
        (308, b"", "redirects (308): set token.url to where it is"),
        (200, b"planted", "something that is not a JSON object"),
        (200, b'{"access_token": "planted\\r\\nX: y"}', "no header can carry"),
        (200, b" " * 70_000, "sent more than 65536 bytes"),
        (500, b" " * 70_000, "sent more than 65536 bytes"),
    ],
)
def test_a_refusal_is_one_sentence_without_the_server_s_words(
    status: int, raw: bytes, words: str
) -> None:
    with TokenServer() as server:
        server.status, server.raw = status, raw
        server.headers = {"Location": f"http://127.0.0.1:{server.port}/oauth2/token"}
        with pytest.raises(TokenError) as caught:
            ask(server.url)
    assert str(caught.value).endswith(words)
    assert "planted" not in str(caught.value)
    assert server.requests == 1
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "raw", [b"planted", b"{}", b'{"access_token": "planted", "expires_in": []}']
)
def test_an_answer_that_grants_nothing_is_said_with_the_server_s_name(raw: bytes) -> None:
    with TokenServer() as server:
        server.raw = raw
        host = re.escape(server.url.split("/")[2])
        with pytest.raises(
            TokenError, match=rf"^the token server {host} answered with \w"
        ) as caught:
            ask(server.url)
    assert "planted" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_compressed_answer_is_refused_before_it_is_unpacked() -> None:
    with TokenServer() as server:
        server.raw, server.headers = gzip.compress(b" " * 10**7), {"Content-Encoding": "gzip"}
        with pytest.raises(TokenError, match="compressed its answer"):
            ask(server.url)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"planted garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nplanted\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nplanted",
        b"HTTP/1.1 200 OK\r\nContent-Length: planted\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Long: " + b"planted" * 100_000 + b"\r\n\r\n",
    ],
)
def test_broken_http_is_one_sentence(answer: bytes) -> None:
    with scripted(answer) as address, pytest.raises(TokenError) as caught:
        ask(f"http://{address}/token")
    assert str(caught.value).startswith(f"the token server {address} broke the")
    assert caught.value.__context__ is None


def test_a_refused_connection_is_said_in_words() -> None:
    with TokenServer() as server:
        url = server.url
    with pytest.raises(TokenError, match=r"refuses connections$"):
        ask(url)


def test_a_name_that_does_not_resolve_is_said_in_words() -> None:
    with pytest.raises(TokenError, match=r"auth\.invalid has a name that does not resolve$"):
        ask("https://auth.invalid/token")


def test_a_server_that_does_not_answer_is_left_after_the_timeout() -> None:
    with TokenServer() as server:
        server.delay = 60
        with pytest.raises(TokenError, match=r"is too slow|gave no answer within 0\.2 s"):
            ask(server.url, timeout=0.2)


def test_a_server_that_trickles_is_left_after_the_timeout() -> None:
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def trickle() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.recv(65536)
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n")
            while not done.wait(0.05):
                try:
                    peer.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=trickle)
    thread.start()
    port = listener.getsockname()[1]
    with pytest.raises(TokenError, match=r"gave no answer within 0.3 s$"):
        ask(f"http://127.0.0.1:{port}/token", timeout=0.3)
    done.set()
    thread.join(10)
    listener.close()


def server_context(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


GRANTED = b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"access_token": "t"}'


def test_a_trusted_certificate_is_accepted() -> None:
    authority = trustme.CA()
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with scripted(GRANTED, context=server_context(authority, "127.0.0.1")) as address:
        assert ask(f"https://{address}/token", ssl_context=trusting).access_token == Secret("t")


@pytest.mark.parametrize(
    ("name", "trusted", "words"),
    [
        ("127.0.0.1", False, "certificate that is not trusted: unable to get local issuer"),
        ("127.0.0.9", True, "certificate that is not trusted: IP address mismatch"),
    ],
)
def test_a_wrong_certificate_is_refused_and_the_reason_said(
    name: str,
    trusted: bool,  # noqa: FBT001 - a data table
    words: str,
) -> None:
    authority = trustme.CA()
    context = ssl.create_default_context()
    if trusted:
        authority.configure_trust(context)
    with (
        scripted(GRANTED, context=server_context(authority, name)) as address,
        pytest.raises(TokenError, match=words),
    ):
        ask(f"https://{address}/token", ssl_context=context)


def test_a_proxy_of_the_environment_gets_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    with TokenServer() as proxy, TokenServer() as server:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert server.accepts(ask(server.url).access_token.reveal())
        assert (proxy.requests, server.requests) == (0, 1)
