"""Planted secrets: none may appear in anything that is written down."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import pickle
import ssl
import traceback
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest

from router.auth.grant import TokenForm, read_grant
from router.auth.oauth import OAuthFetcher
from router.auth.token import Token, TokenManager
from router.background import Background
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret
from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made in a hundredth of the time
CLIENT_SECRET = "planted client:secret"
ACCESS = "planted-access-token"
REFRESH = "planted-refresh-token"
PLANTED = (CLIENT_SECRET, ACCESS, REFRESH)


def forms_of(secret: str) -> Iterator[str]:
    """Yield the secret in each encoding that the wire or a log may give it."""
    yield secret
    yield quote(secret, safe="")
    yield quote_plus(secret)
    yield base64.b64encode(f"demo:{quote(secret, safe='')}".encode()).decode()
    yield base64.b64encode(secret.encode()).decode()
    yield secret.encode().hex()


def assert_clean(text: str) -> None:
    for secret in PLANTED:
        for form in forms_of(secret):
            assert form not in text


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer(client_secret=CLIENT_SECRET) as server:
        server.refresh_token = REFRESH
        answer = {"access_token": ACCESS, "refresh_token": REFRESH, "error": ACCESS}
        server.raw = json.dumps(answer | {"error_description": CLIENT_SECRET}).encode()
        yield server


def test_no_value_shows_what_it_holds() -> None:
    settings = TokenSettings(
        grant="refresh_token",
        url="http://127.0.0.1:1/token",
        client_id="demo",
        client_secret=Secret(CLIENT_SECRET),
        refresh_token=Secret(REFRESH),
    )
    form = TokenForm.of(settings, settings.refresh_token)
    answer = {"access_token": ACCESS, "refresh_token": REFRESH}
    grant = read_grant(json.dumps(answer).encode())
    token = Token(grant.access_token, 1.0)
    for value in (settings, form, grant, token, OAuthFetcher(settings, ssl_context=NOBODY_TRUSTED)):
        assert_clean(f"{value} {value!r}")
    with pytest.raises(TypeError):
        pickle.dumps(token)


@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token"])
@pytest.mark.parametrize("auth", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("status", [None, 401, 302, 500])
def test_no_log_at_any_level_holds_a_secret(
    server: TokenServer,
    caplog: pytest.LogCaptureFixture,
    grant: str,
    auth: str,
    status: int | None,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.headers = {"Set-Cookie": ACCESS, "X-Echo": CLIENT_SECRET}
    server.status = status
    values = {"grant": grant, "auth": auth, "client_id": "demo", "client_secret": CLIENT_SECRET}
    if grant == "refresh_token":
        values["refresh_token"] = REFRESH
    settings = TokenSettings(url=server.url, **values)  # type: ignore[arg-type]  # a data table
    manager = TokenManager(
        settings,
        fetch=OAuthFetcher(settings, ssl_context=NOBODY_TRUSTED),
        spawn=(background := Background(list)).spawn,
        random=Random(1),
    )
    error = manager.request(0.0).exception(10)
    background.stop()
    assert (error is None) == (status is None)
    assert not any(record.name.startswith("httpcore") for record in caplog.records)
    for record in caplog.records:
        assert_clean(f"{record.getMessage()} {record.__dict__}")


@pytest.mark.parametrize(
    ("status", "raw"),
    [
        (401, None),
        (500, None),
        (200, json.dumps({"access_token": ACCESS + "\n"}).encode()),
        (200, (ACCESS * 5000).encode()),
        (200, (ACCESS + REFRESH).encode()),
    ],
)
def test_no_traceback_holds_a_secret(server: TokenServer, status: int, raw: bytes | None) -> None:
    server.status, server.raw = status, raw or server.raw
    settings = TokenSettings(url=server.url, client_id="demo", client_secret=Secret(CLIENT_SECRET))
    with pytest.raises(TokenError) as caught:
        asyncio.run(
            OAuthFetcher(settings, ssl_context=NOBODY_TRUSTED)(TokenForm.of(settings, None))
        )
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert_clean("".join(traceback.format_exception(error)) + repr(error) + str(vars(error)))


def test_the_manager_s_error_keeps_no_frame_of_the_exchange(server: TokenServer) -> None:
    server.status = 500
    settings = TokenSettings(url=server.url, client_id="demo", client_secret=Secret(CLIENT_SECRET))
    background = Background(list)
    manager = TokenManager(
        settings,
        fetch=OAuthFetcher(settings, ssl_context=NOBODY_TRUSTED),
        spawn=background.spawn,
        random=Random(1),
    )
    with pytest.raises(TokenError) as caught:
        manager.request(0.0).result(10)
    background.stop()
    with_locals = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [
        frame for frame in with_locals.stack if frame.filename.endswith(("oauth.py", "grant.py"))
    ]
    assert frames == []
