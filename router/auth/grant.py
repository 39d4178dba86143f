"""What is asked of a token server and what its answer says: RFC 6749, without a socket.

Rule 1: the answer is foreign. Each field is checked for type, length and alphabet before it is
        kept, since an access token ends in a header and a line feed there would end the header.
Rule 2: no sentence quotes the answer. Of a refusal only the error code is passed on, and only one
        that a registry knows: `error_description` is free text and may repeat a credential.
Rule 3: a server that refuses the client or what it asks for has answered: RefusedError. Anything
        else that goes wrong is the server's own failure, and another server may do better.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeGuard

from router.errors import TokenError
from router.secret import Secret

if TYPE_CHECKING:
    from router.config.settings import TokenSettings
    from router.endpoint import Reach

__all__ = [
    "ASSUMED_LIFETIME",
    "LONGEST_LIFETIME",
    "Grant",
    "RefusedError",
    "TokenForm",
    "check_grant",
    "read_error",
    "read_grant",
    "read_key",
    "refusal_of",
]

ASSUMED_LIFETIME = 300.0
"""Seconds a token is used for when the server does not say: RFC 6749 leaves it to the client."""
LONGEST_LIFETIME = 86400.0
"""Seconds after which any token is renewed, whatever the server promises."""

MOST_CHARACTERS = 16 * 1024
ACCESS_TOKEN = re.compile(r"[!-~]+", re.ASCII)
REFRESH_TOKEN = re.compile(r"[ -~]+", re.ASCII)
DIGITS = re.compile(r"[+-]?\d{1,30}(\.\d{1,30})?", re.ASCII)
ERROR_CODES = frozenset(
    {  # RFC 6749 5.2, RFC 8707 2, and those of 4.1.2.1 that token servers send as well
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_target",
        "access_denied",
        "server_error",
        "temporarily_unavailable",
    }
)


SERVERS_OWN = frozenset({"server_error", "temporarily_unavailable"})
OF_THE_REACH = frozenset({"invalid_scope", "invalid_target"})
REFUSALS = frozenset({400, 401, 403})


class RefusedError(TokenError):
    """The server is well and says no; `code` is its registered word for why."""

    def __init__(self, message: str, *, code: str, retry_after: float | None = None) -> None:
        super().__init__(message, retry_after=retry_after)
        self.code = code

    @property
    def of_the_reach(self) -> bool:
        """Whether it concerns the audience or the scope alone, and not the client."""
        return self.code in OF_THE_REACH


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenForm:
    """One token request: the grant, and what it needs beside the client's credentials.

    Attributes:
        url: the token endpoint that is asked; None: the first of the settings.
        replaces: the token that is to be replaced; whoever offers that one again offers nothing.
    """

    grant: str
    refresh_token: Secret | None = None
    scope: str | None = None
    audience: str | None = None
    url: str | None = None
    replaces: Secret | None = None

    @classmethod
    def of(
        cls, settings: TokenSettings, refresh_token: Secret | None, reach: Reach = (None, None)
    ) -> TokenForm:
        """Return the form of the settings' grant; only one of them sends the refresh token.

        `reach` is an audience and a scope in place of those of the settings.
        """
        audience, scope = reach
        return cls(
            grant=settings.grant,
            refresh_token=refresh_token if settings.grant == "refresh_token" else None,
            scope=settings.scope if scope is None else scope,
            audience=settings.audience if audience is None else audience,
        )

    def fields(self) -> dict[str, str]:
        """Return the form's fields as they go onto the wire, in clear text."""
        refresh_token = self.refresh_token.reveal() if self.refresh_token else None
        fields = {
            "grant_type": self.grant,
            "refresh_token": refresh_token,
            "scope": self.scope,
            "audience": self.audience,
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Grant:
    """A token server's answer: the token, its lifetime in seconds, perhaps a new refresh token.

    An infinite lifetime is that of a static key: it is looked at again, and never ends by itself.
    """

    access_token: Secret
    lifetime: float = ASSUMED_LIFETIME
    refresh_token: Secret | None = None


def read_grant(body: bytes) -> Grant:
    """Return what a successful answer grants.

    Raises:
        TokenError: it is no JSON object, or a field has a wrong type, length or character.
    """
    answer = _parse_object(body)
    kind = answer.get("token_type", "Bearer")
    if not (isinstance(kind, str) and kind.lower() == "bearer"):
        _refuse("a token_type other than Bearer")
    refresh_token = answer.get("refresh_token")
    return Grant(
        _read_secret(answer.get("access_token"), ACCESS_TOKEN, "access_token"),
        _read_lifetime(answer.get("expires_in")),
        None
        if refresh_token is None
        else _read_secret(refresh_token, REFRESH_TOKEN, "refresh_token"),
    )


def read_error(body: bytes) -> str | None:
    """Return the registered OAuth error code that a refusal names, if it names one."""
    try:
        code = _parse_object(body).get("error")
    except TokenError:
        return None
    return code if isinstance(code, str) and code in ERROR_CODES else None


def refusal_of(status: int, code: str | None) -> bool:
    """Return whether an answer refuses the client, rather than telling of the server's trouble."""
    return status in REFUSALS and code is not None and code not in SERVERS_OWN


def read_key(text: str, where: str) -> Grant:
    """Return the grant of a static key; `where` says where it was found.

    Raises:
        TokenError: it is empty, or no header can carry it.
    """
    if not text:
        raise TokenError(f"{where} is empty")
    if len(text) > MOST_CHARACTERS or not ACCESS_TOKEN.fullmatch(text):
        raise TokenError(f"{where} has characters or a length that no header can carry")
    return Grant(Secret(text), math.inf)


def check_grant(grant: object) -> Grant:
    """Return what somebody's code says is granted, whose fields nobody has read yet.

    Raises:
        TokenError: it is no Grant, or a header could not carry it; it is not shown.
    """
    if not isinstance(grant, Grant):
        raise TokenError("what was granted is no Grant")
    if not _fits(grant.access_token, ACCESS_TOKEN):
        raise TokenError("a Grant's access_token is no Secret that a header can carry")
    if not _is_number(grant.lifetime):
        raise TokenError("a Grant's lifetime is no number of seconds")
    if grant.refresh_token is not None and not _fits(grant.refresh_token, REFRESH_TOKEN):
        raise TokenError("a Grant's refresh_token is no Secret of printable ASCII")
    return grant


def _parse_object(body: bytes) -> dict[str, Any]:
    answer: Any = None
    with contextlib.suppress(ValueError, RecursionError):  # the parser's error holds the body
        answer = json.loads(body, parse_constant=_refuse_constant)
    if not isinstance(answer, dict):
        _refuse("something that is not a JSON object")
    return answer


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)  # NaN and the infinities are Python's, not JSON's


def _read_secret(value: object, alphabet: re.Pattern[str], name: str) -> Secret:
    if not isinstance(value, str) or not value:
        _refuse(f"no {name}")
    if len(value) > MOST_CHARACTERS or not alphabet.fullmatch(value):
        _refuse(f"{name} with characters or a length that no header can carry")
    return Secret(value)


def _read_lifetime(value: object) -> float:
    """Return seconds from 0 to a day; some servers write the number as a string."""
    if value is None:
        return ASSUMED_LIFETIME
    if isinstance(value, str) and DIGITS.fullmatch(value.strip()):
        value = float(value)
    if not _is_number(value):
        _refuse("expires_in that is not a number of seconds")
    return float(min(max(value, 0), LONGEST_LIFETIME))


def _is_number(value: object) -> TypeGuard[int | float]:
    """Return whether it counts something; `math.isnan` takes no integer of 400 digits."""
    return type(value) is int or (isinstance(value, float) and not math.isnan(value))


def _fits(value: object, alphabet: re.Pattern[str]) -> bool:
    text = value.reveal() if isinstance(value, Secret) else None
    return isinstance(text, str) and len(text) <= MOST_CHARACTERS and bool(alphabet.fullmatch(text))


def _refuse(what: str) -> NoReturn:
    raise TokenError(f"the token server answered with {what}")
