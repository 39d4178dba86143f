"""private_key_jwt: what is signed, with which key, and what a real server says to it."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
from typing import TYPE_CHECKING, Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OKPKey, RSAKey

from router.auth.assertion import Assertions
from router.auth.grant import TokenForm
from router.auth.oauth import OAuthFetcher
from router.config.settings import TokenSettings
from router.errors import ConfigError, TokenError
from router.secret import Secret
from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://auth.example.com/token?tenant=1"
NOW = 1_800_000_000.75
NOBODY_TRUSTED = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
KEYS: dict[str, Any] = {
    "RS256": RSAKey.generate_key(2048),
    "ES256": ECKey.generate_key("P-256"),
    "ES384": ECKey.generate_key("P-384"),
    "Ed25519": OKPKey.generate_key("Ed25519"),
}


def settings(**changes: Any) -> TokenSettings:
    values: dict[str, Any] = {"url": URL, "client_id": "me", "auth": "private_key_jwt"}
    return TokenSettings(**(values | changes))


def signed(wanted: TokenSettings, now: float = NOW) -> dict[str, str]:
    return asyncio.run(Assertions(wanted).fields(URL, now))


def written(key: Any, form: str, folder: Path) -> dict[str, Any]:
    """Return the settings that hold the key in this form."""
    pem = key.as_pem(private=True).decode()
    jwk = json.dumps(key.as_dict(private=True))
    if form == "JWK":
        return {"private_key": Secret(jwk)}
    if form == "PEM in one line":
        return {"private_key": Secret(pem.replace("\n", "\\n"))}
    file = folder / "key"
    file.write_text(pem if form == "PEM file" else jwk)
    return {"private_key_file": file}


@pytest.mark.parametrize("form", ["JWK", "PEM in one line", "PEM file", "JWK file"])
@pytest.mark.parametrize("algorithm", KEYS)
def test_an_assertion_is_for_one_endpoint_once_and_for_a_minute_of_the_true_time(
    algorithm: str, form: str, tmp_path: Path
) -> None:
    key = KEYS[algorithm]
    wanted = settings(key_id="2026-1", **written(key, form, tmp_path))
    first, second = signed(wanted), signed(wanted)
    assert first["client_id"] == "me"
    assert first["client_assertion_type"].endswith(":jwt-bearer")
    token = jwt.decode(first["client_assertion"], key, algorithms=[algorithm])
    assert token.header == {"alg": algorithm, "typ": "JWT", "kid": "2026-1"}
    jti = token.claims.pop("jti")
    assert token.claims == {
        "iss": "me",
        "sub": "me",
        "aud": "https://auth.example.com/token",
        "iat": 1_800_000_000,
        "exp": 1_800_000_060,
    }
    other = jwt.decode(second["client_assertion"], key, algorithms=[algorithm])
    assert other.claims["jti"] != jti


def test_algorithm_and_audience_are_the_users_to_choose() -> None:
    key = KEYS["RS256"]
    wanted = settings(
        private_key=Secret(json.dumps(key.as_dict(private=True))),
        algorithm="PS384",
        assertion_audience="https://issuer.example.com",
    )
    token = jwt.decode(signed(wanted)["client_assertion"], key, algorithms=["PS384"])
    assert token.claims["aud"] == "https://issuer.example.com"


def public(key: Any) -> str:
    return json.dumps(key.as_dict(private=False))


@pytest.mark.parametrize(
    ("key", "algorithm", "words"),
    [
        ("planted", None, "is no private key"),
        ("{planted}", None, "is no private key"),
        ('{"kty": "oct", "k": "cGxhbnRlZA"}', None, "is no private key"),
        (public(KEYS["RS256"]), None, "is no private key"),
        (json.dumps(KEYS["RS256"].as_dict(private=True)), "ES256", "cannot sign with ES256"),
        ("-----BEGIN PRIVATE KEY-----\\nplanted\\n-----END PRIVATE KEY-----", None, "is no priv"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----\\nplanted", None, "without a passphrase"),
    ],
)
def test_a_key_that_does_not_sign_is_one_sentence_without_the_key(
    key: str, algorithm: str | None, words: str
) -> None:
    wanted = settings(private_key=Secret(key), algorithm=algorithm)
    with pytest.raises(TokenError, match=words) as caught:
        signed(wanted)
    assert "planted" not in str(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_key_file_that_is_away_is_said_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match=r"^token\.private_key_file: the file .* cannot be read"):
        signed(settings(private_key_file=tmp_path / "gone.pem"))


@pytest.mark.parametrize(("algorithm", "words"), [(None, "no private key"), ("ES256", "cannot")])
def test_a_key_file_that_does_not_sign_is_said_with_its_path(
    algorithm: Any, words: str, tmp_path: Path
) -> None:
    key = KEYS["RS256"] if algorithm else KEYS["ES256"]
    file = written(key, "PEM file", tmp_path)["private_key_file"]
    if algorithm is None:
        file.write_text("planted")
    with pytest.raises(
        TokenError, match=rf"^token\.private_key_file: the file .*{words}"
    ) as caught:
        signed(settings(private_key_file=file, algorithm=algorithm))
    assert "planted" not in str(caught.value)


def test_an_old_servers_name_for_ed25519_is_written_without_a_warning(tmp_path: Path) -> None:
    wanted = settings(**written(KEYS["Ed25519"], "PEM file", tmp_path), algorithm="EdDSA")
    header = signed(wanted)["client_assertion"].partition(".")[0]
    assert json.loads(base64.urlsafe_b64decode(header + "==")) == {"alg": "EdDSA", "typ": "JWT"}


def test_a_rotated_key_signs_the_next_request(tmp_path: Path) -> None:
    old, new = KEYS["ES256"], ECKey.generate_key("P-256")
    wanted = settings(**written(old, "PEM file", tmp_path))
    assert jwt.decode(signed(wanted)["client_assertion"], old, algorithms=["ES256"]).claims
    written(new, "PEM file", tmp_path)
    assert jwt.decode(signed(wanted)["client_assertion"], new, algorithms=["ES256"]).claims


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "needs a key"),
        ({"private_key": Secret("a"), "private_key_file": "/k"}, "needs a key"),
        ({"private_key": Secret("a"), "client_secret": Secret("b")}, "sends none"),
        ({"auth": "client_secret_post", "key_id": "1"}, "only private_key_jwt has a key"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(
    changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        settings(**changes)


@pytest.mark.parametrize("grant", ["client_credentials", "refresh_token"])
def test_a_server_takes_the_assertion_in_place_of_a_secret(
    grant: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    key = KEYS["ES256"]
    with TokenServer() as server:
        refresh = Secret(server.refresh_token) if grant == "refresh_token" else None
        wanted = settings(
            url=server.url,
            grant=grant,
            refresh_token=refresh,
            private_key=Secret(json.dumps(key.as_dict(private=True))),
        )

        def proves(assertion: str) -> bool:
            claims = jwt.decode(assertion, key, algorithms=["ES256"]).claims
            return bool(claims["aud"] == server.url)

        server.assertion = proves
        fetch = OAuthFetcher(
            wanted,
            ssl_context=NOBODY_TRUSTED,
            assertions=Assertions(wanted),
            wall=lambda: NOW,
        )
        granted = asyncio.run(fetch(TokenForm.of(wanted, refresh)))
        assert server.accepts(granted.access_token.reveal())
    assert "client_secret" not in server.forms[0]
    assert server.forms[0]["client_assertion"] not in caplog.text
    assert key.as_dict(private=True)["d"] not in caplog.text


def test_a_real_server_takes_the_assertion(iam_server: Any) -> None:
    """Canaille takes it for refresh_token, and not for client_credentials."""
    key = RSAKey.generate_key(2048, auto_kid=True)
    with iam_server.app.app_context():
        client = iam_server.models.Client(
            client_id="assertive",
            client_name="region-router",
            grant_types=["refresh_token"],
            token_endpoint_auth_method="private_key_jwt",
            jwks=json.dumps({"keys": [key.as_dict(private=False)]}),
            scope=["openid"],
        )
        iam_server.backend.save(client)
        token = iam_server.random_token(iam_server.random_user(), client)
        wanted = settings(
            grant="refresh_token",
            refresh_token=Secret(token.refresh_token),
            url=f"{iam_server.url}oauth/token",
            client_id="assertive",
            key_id=key.kid,
            private_key=Secret(json.dumps(key.as_dict(private=True))),
        )
        fetch = OAuthFetcher(wanted, ssl_context=NOBODY_TRUSTED, assertions=Assertions(wanted))
        granted = asyncio.run(fetch(TokenForm.of(wanted, wanted.refresh_token)))
        stored = iam_server.backend.get(
            iam_server.models.Token, access_token=granted.access_token.reveal()
        )
        assert stored.client == client
        iam_server.backend.delete(client)
