"""The fields of the `token:` section that no other has, and what each grant needs.

Rule: what a grant has no use for is refused: a key that is not read is a mistake that stays unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from router.endpoint import parse_origin
from router.units import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.settings import TokenSettings

__all__ = ["SigningAlgorithm", "TokenUrls", "Word", "token_problems"]

MOST_URLS = 16
SIZES = ("256", "384", "512")
ALGORITHMS = (*(kind + size for kind in ("RS", "PS", "ES") for size in SIZES), "Ed25519", "EdDSA")
OAUTH = frozenset({"client_credentials", "refresh_token"})
UNLESS_SAID = "client_secret_basic"
OF_A_KEY = ("private_key", "private_key_file", "key_id", "algorithm", "assertion_audience")
OF_A_SERVER = (
    "urls",
    "client_id",
    "client_secret",
    "refresh_token",
    "scope",
    "audience",
    *OF_A_KEY,
)


def _urls(value: object) -> str | tuple[str, ...]:
    """Return one token endpoint as it is, several as a tuple."""
    if isinstance(value, str):
        _check_url(value)
        return value
    if not isinstance(value, list | tuple) or not all(isinstance(url, str) for url in value):
        raise ValueError("write a URL, or a list of them")
    for url in value:
        _check_url(url)
    if len(set(value)) < len(value) or len(value) > MOST_URLS:
        raise ValueError(f"list each token endpoint once, and at most {MOST_URLS} of them")
    return tuple(value)


def _check_url(url: str) -> None:
    if not url.isprintable():
        raise ValueError("write printable text")
    parse_origin(url.partition("?")[0])


def _word(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise ValueError("write printable text")


def _algorithm(value: object) -> str | None:
    if value is None or (isinstance(value, str) and value in ALGORITHMS):
        return value
    raise ValueError(f"write one of {', '.join(ALGORITHMS)}")


def token_problems(token: TokenSettings) -> Iterator[str]:
    """Yield what is wrong with a `token:` section as a whole."""
    if token.grant in OAUTH:
        yield from _oauth_problems(token)
    elif any(getattr(token, name) for name in OF_A_SERVER) or token.auth != UNLESS_SAID:
        yield f"grant: the grant {token.grant} asks no token server: take its keys out"
    if (token.grant == "static") != bool(token.file or token.value):
        yield "file: the grant static, and no other, needs a file or a value"
    if token.file and token.value:
        yield "value: the key stands in file already: keep one"


def _oauth_problems(token: TokenSettings) -> Iterator[str]:
    if not token.urls:
        yield "url: name the token endpoint"
    if not token.client_id:
        yield "client_id: name the client"
    if token.grant == "refresh_token" and not token.refresh_token:
        yield "refresh_token: the grant refresh_token needs one to start with"
    if token.grant == "client_credentials" and token.refresh_token:
        yield "refresh_token: the grant client_credentials sends none: write grant: refresh_token"
    if token.auth == "private_key_jwt":
        if bool(token.private_key) == bool(token.private_key_file):
            yield "private_key: private_key_jwt needs a key here or in private_key_file"
        if token.client_secret:
            yield "client_secret: private_key_jwt sends none: take it out"
        return
    if any(getattr(token, name) for name in OF_A_KEY):
        yield "auth: only private_key_jwt has a key: write it here, or take the key out"
    if token.grant == "client_credentials" and not token.client_secret:
        yield "client_secret: the grant client_credentials needs it"


TokenUrls = Annotated[
    str | tuple[str, ...],
    Parsed(
        _urls,
        (
            (
                "anyOf",
                [
                    {"type": "string", "format": "uri"},
                    {"type": "array", "items": {"type": "string", "format": "uri"}},
                ],
            ),
        ),
    ),
]
Word = Annotated[str, Parsed(_word)]
SigningAlgorithm = Annotated[str | None, Parsed(_algorithm, (("enum", list(ALGORITHMS)),))]
