from __future__ import annotations

import json

import pytest

from router.auth.grant import (
    ASSUMED_LIFETIME,
    LONGEST_LIFETIME,
    TokenForm,
    read_error,
    read_grant,
)
from router.config.settings import TokenSettings
from router.errors import TokenError
from router.secret import Secret

PLANTED = "planted-in-the-answer"


def body(**fields: object) -> bytes:
    return json.dumps({"access_token": PLANTED, "token_type": "Bearer"} | fields).encode()


@pytest.mark.parametrize(
    ("expires_in", "lifetime"),
    [
        (3600, 3600.0),
        ("3600", 3600.0),
        (" 1800 ", 1800.0),
        ("59.5", 59.5),
        (12.25, 12.25),
        (1, 1.0),
        (0, 0.0),
        ("0", 0.0),
        (-1, 0.0),
        ("-5", 0.0),
        (None, ASSUMED_LIFETIME),
        (10**300, LONGEST_LIFETIME),
        (1e308, LONGEST_LIFETIME),
        ("9" * 30, LONGEST_LIFETIME),
    ],
)
def test_expires_in_becomes_a_lifetime_between_zero_and_a_day(
    expires_in: object, lifetime: float
) -> None:
    assert read_grant(body(expires_in=expires_in)).lifetime == lifetime


def test_a_missing_expires_in_is_assumed() -> None:
    grant = read_grant(body())
    assert grant.lifetime == ASSUMED_LIFETIME
    assert grant.access_token == Secret(PLANTED)
    assert grant.refresh_token is None


def test_a_number_beyond_floats_is_clamped() -> None:
    raw = b'{"access_token": "a", "expires_in": 1e999}'
    assert read_grant(raw).lifetime == LONGEST_LIFETIME


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_token_type_is_bearer_in_any_case(kind: str) -> None:
    assert read_grant(body(token_type=kind)).access_token == Secret(PLANTED)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>planted-in-the-answer</html>",
        b"\xff\xfe\x00\x00\x80",
        b'{"access_token": "planted-in-the-answer"',
        b'{"access_token": "planted-in-the-answer", "expires_in": NaN}',
        b'{"access_token": "planted-in-the-answer", "expires_in": -Infinity}',
        b'{"access_token": "planted-in-the-answer", "expires_in": ' + b"9" * 5000 + b"}",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        body(access_token=None),
        body(access_token=""),
        body(access_token=17),
        body(access_token=[PLANTED]),
        body(access_token=f"{PLANTED}\r\nX-Injected: 1"),
        body(access_token=f"{PLANTED}\n"),
        body(access_token=f"{PLANTED}\0"),
        body(access_token=f"{PLANTED} twice"),
        body(access_token=f"{PLANTED}é"),
        body(access_token=PLANTED * 1000),
        body(token_type="mac"),
        body(token_type=None),
        body(token_type=["Bearer"]),
        body(refresh_token=17),
        body(refresh_token=""),
        body(refresh_token=f"{PLANTED}\n"),
        body(expires_in="soon"),
        body(expires_in=""),
        body(expires_in=True),
        body(expires_in=[3600]),
        body(expires_in={"s": 3600}),
    ],
)
def test_nonsense_is_a_token_error_that_quotes_nothing_and_chains_nothing(raw: bytes) -> None:
    with pytest.raises(TokenError, match=r"^the token server answered with") as caught:
        read_grant(raw)
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'{"error": "invalid_client"}', "invalid_client"),
        (b'{"error": "invalid_grant", "error_description": "token planted"}', "invalid_grant"),
        (b'{"error": "temporarily_unavailable"}', "temporarily_unavailable"),
        (b'{"error": "planted"}', None),
        (b'{"error": ["invalid_client"]}', None),
        (b'{"error": {"invalid_client": 1}}', None),
        (b"{}", None),
        (b"<html>", None),
        (b"[" * 60_000, None),
    ],
)
def test_only_a_registered_error_code_is_passed_on(raw: bytes, code: str | None) -> None:
    assert read_error(raw) == code


def test_the_form_carries_the_refresh_token_only_for_its_grant() -> None:
    settings = TokenSettings(
        url="https://auth.example.com/token",
        client_id="me",
        client_secret=Secret("s"),
        scope="read write",
        audience="https://api.example.com",
    )
    form = TokenForm.of(settings, Secret("old"))
    assert form.fields() == {
        "grant_type": "client_credentials",
        "scope": "read write",
        "audience": "https://api.example.com",
    }
    refreshing = TokenForm(grant="refresh_token", refresh_token=Secret("old"))
    assert refreshing.fields() == {"grant_type": "refresh_token", "refresh_token": "old"}
