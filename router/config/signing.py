"""The `sign:` section: what proves a request beside the token.

Rule 1: a signature is made from a template, and a placeholder that is not known is refused here.
Rule 2: what a key is used for is chosen by which of the sections is there.
Rule 3: a proof that no server could check is refused: a time that is signed and not sent, a region
        that nobody names, a header that the token takes.
"""

from __future__ import annotations

import base64
import binascii
import re
import string
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from router.config.fields import OptionalText, SecretField
from router.config.section import Section
from router.errors import ConfigError
from router.header_names import OF_THE_WIRE, own_header
from router.units import Parsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config.settings import Config

__all__ = [
    "ApiKey",
    "HmacSettings",
    "SigV4Settings",
    "SignSettings",
    "key_bytes",
    "sign_problems",
]

PLACEHOLDERS = frozenset(
    {"timestamp", "method", "host", "path", "query", "target", "body", "body_sha256"}
)
PARAMETER = re.compile(r"[A-Za-z0-9._~-]{1,100}")
LONGEST_TEMPLATE = 1000


def _header(value: object) -> str | None:
    instead = "the one that the API reads"
    return own_header(value, taken=OF_THE_WIRE, instead=instead, such_as="X-API-Key")


def _parameter(value: object) -> str | None:
    if value is None or (isinstance(value, str) and PARAMETER.fullmatch(value)):
        return value
    raise ValueError("a parameter's name is letters, digits and dashes, such as signature")


def _template(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_TEMPLATE:
        raise ValueError('write a template, such as "{timestamp}{method}{target}{body}"')
    try:
        parts = list(string.Formatter().parse(value))
    except ValueError:
        raise ValueError("a brace that is none of a placeholder is written twice") from None
    written = ""
    for before, name, _, _ in parts:
        written += before.replace("{", "{{").replace("}", "}}")
        written += "" if name is None else f"{{{name}}}"
        if name is not None and name not in PLACEHOLDERS:
            written = ""
            break
    if written != value:  # a format or a conversion stands beside the name
        raise ValueError(f"a placeholder is one of {', '.join(sorted(PLACEHOLDERS))}")
    return value


Header = Annotated[str | None, Parsed(_header)]
Parameter = Annotated[str | None, Parsed(_parameter)]
Template = Annotated[str, Parsed(_template)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey(Section):
    """A key that is sent as it is.

    Attributes:
        header: which one carries it.
        value: the key, with whatever word the API wants before it.
    """

    header: Header = "X-API-Key"
    value: SecretField = None

    def check(self) -> None:
        if self.header is None or not self.value:
            raise ConfigError("value: write the key, and which header carries it")


@dataclass(frozen=True, slots=True, kw_only=True)
class HmacSettings(Section):
    """A keyed hash (HMAC, RFC 2104) over what a template says, as exchanges want it.

    Attributes:
        key: the secret that signs.
        key_encoding: how it is written: as the bytes of its `text`, or in `hex` or `base64`.
        template: what is signed, of {timestamp} {method} {host} {path} {query} {target} {body}
            {body_sha256}.
        algorithm: the hash.
        encoding: how the signature is written.
        header: which one carries it.
        parameter: the query's parameter that carries it instead, as its last one.
        timestamp: how {timestamp} is written.
        timestamp_header: which header carries it, where `clock.header` does not.
        timestamp_parameter: the query's parameter that carries it instead; {query} holds it then.
    """

    key: SecretField = None
    key_encoding: Literal["text", "hex", "base64"] = "text"
    template: Template = "{timestamp}{method}{target}{body}"
    algorithm: Literal["sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    header: Header = None
    parameter: Parameter = None
    timestamp: Literal["unix", "unix_ms", "rfc3339"] = "unix_ms"
    timestamp_header: Header = None
    timestamp_parameter: Parameter = None

    def check(self) -> None:
        problems = []
        if not self.key:
            problems.append("key: write the secret that signs")
        elif key_bytes(self) is None:
            problems.append(f"key: the key is not {self.key_encoding}: correct it, or key_encoding")
        if (self.header is None) == (self.parameter is None):
            problems.append("header: a signature goes into a header or into a parameter")
        if self.timestamp_header and self.timestamp_parameter:
            problems.append("timestamp_header: the time goes into a header or into a parameter")
        if problems:
            raise ConfigError(*problems)

    @property
    def borrows_time(self) -> bool:
        """Whether it signs a time that only `clock.header` can carry."""
        names = {name for _, name, _, _ in string.Formatter().parse(self.template)}
        return "timestamp" in names and not (self.timestamp_header or self.timestamp_parameter)


def key_bytes(settings: HmacSettings) -> bytes | None:
    """Return the key's bytes, or None where it is not written as `key_encoding` says."""
    text = "" if settings.key is None else settings.key.reveal()
    if settings.key_encoding == "text":
        return text.encode()
    try:
        if settings.key_encoding == "hex":
            return bytes.fromhex(text)
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SigV4Settings(Section):
    """AWS Signature Version 4; it needs `region-router[aws]`.

    Attributes:
        service: the service's signing name, such as bedrock or execute-api.
        region: left out: that of the endpoint's own `region`, without its cloud.
        access_key: with `secret_key`; left out: as botocore finds credentials.
        secret_key: the key that signs.
        session_token: of credentials for a time.
    """

    service: OptionalText = None
    region: OptionalText = None
    access_key: SecretField = None
    secret_key: SecretField = None
    session_token: SecretField = None

    def check(self) -> None:
        problems = []
        if not self.service:
            problems.append("service: write the service's signing name, such as bedrock")
        if bool(self.access_key) != bool(self.secret_key):
            problems.append("access_key: write both keys, or neither")
        if self.session_token and not self.access_key:
            problems.append("session_token: it belongs to an access_key")
        if problems:
            raise ConfigError(*problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSettings(Section):
    """What proves a request beside the token, made for each attempt as its headers leave.

    Attributes:
        api_key: a key in a header; it may stand beside one of the others.
        hmac: a keyed hash over a template.
        sigv4: AWS Signature Version 4.
    """

    api_key: ApiKey | None = None
    hmac: HmacSettings | None = None
    sigv4: SigV4Settings | None = None

    def check(self) -> None:
        if self.hmac is not None and self.sigv4 is not None:
            raise ConfigError("hmac: a request has one signature: keep hmac or sigv4")

    @property
    def authorizes(self) -> str | None:
        """The key of what writes the Authorization header, as a token does."""
        if self.sigv4 is not None:
            return "sigv4"
        for name, header in (("api_key", self.api_key), ("hmac", self.hmac)):
            if header is not None and (header.header or "").lower() == "authorization":
                return name
        return None


def sign_problems(config: Config) -> Iterator[str]:
    """Yield where `sign:` does not go together with the rest."""
    sign = config.sign
    if sign is None:
        return
    if config.token is not None and sign.authorizes is not None:
        yield f"sign.{sign.authorizes}: it and token: both write Authorization: keep one of them"
    if sign.sigv4 is not None and not sign.sigv4.region:
        for index, endpoint in enumerate(config.endpoints):
            if endpoint.region is None:
                yield (
                    f"endpoints.{index}.region: sign.sigv4 signs for a region: write it, such as "
                    "aws:us-east-1, or write sign.sigv4.region"
                )
    if sign.hmac is not None and sign.hmac.borrows_time:
        yield from _time_problems(sign.hmac, config)


def _time_problems(hmac: HmacSettings, config: Config) -> Iterator[str]:
    if config.clock is None or config.clock.header is None:
        yield (
            "sign.hmac.template: it signs {timestamp}, and nothing carries that: "
            "write timestamp_header, timestamp_parameter or clock.header"
        )
    elif config.clock.format != hmac.timestamp:
        yield (
            f"sign.hmac.timestamp: clock.header carries the time as {config.clock.format}: "
            "write the same here and as clock.format"
        )
