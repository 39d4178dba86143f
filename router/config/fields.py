"""The types of the settings' fields: how each is parsed, and how JSON Schema describes it.

Rule: a parser takes what YAML or Python gives, returns the one form that the code uses, and is
      idempotent; it refuses with a sentence that says what to write.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

from router.config.skew_errors import SkewError, parse_skew_errors
from router.config.statuses import WORDS, StatusRule, parse_statuses
from router.endpoint import Location, parse_origin
from router.header_names import MADE_BY_OTHERS, own_header
from router.hosts import is_address, parse_host, parse_server
from router.secret import Secret
from router.units import Parsed, parse_count

__all__ = [
    "Factor",
    "FilePath",
    "HeaderName",
    "Here",
    "Hosts",
    "OptionalCount",
    "OptionalText",
    "Percentile",
    "SecretField",
    "Servers",
    "SkewErrors",
    "Statuses",
    "Target",
    "Text",
    "Url",
]

LEAST_PERCENTILE = 0.5
REGION = re.compile(r"[a-z]+:[a-z0-9-]+")


def _text(value: object) -> str:
    if isinstance(value, str) and value.isprintable():
        return value
    raise ValueError("write printable text")


def _optional_text(value: object) -> str | None:
    return None if value is None else _text(value)


def _secret(value: object) -> Secret | None:
    if value is None or isinstance(value, Secret):
        return value
    if isinstance(value, str) and value and value.isprintable():
        return Secret(value)
    raise ValueError('write a secret as "${NAME}", {env: NAME} or {file: /path}')


def _header_name(value: object) -> str | None:
    instead = "one of your own, such as X-Timestamp"
    return own_header(value, taken=MADE_BY_OTHERS, instead=instead, such_as="X-Timestamp")


def _path(value: object) -> Path | None:
    if value is None or isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("write a file's path")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise ValueError("~ before a user's name: no home directory is known for it") from None


def _url(value: object) -> str:
    text = _text(value)
    parse_origin(text.partition("?")[0])
    return text


def _target(value: object) -> str:
    text = _text(value)
    if text.startswith("/") and text.isascii() and " " not in text and "#" not in text:
        return text
    raise ValueError("write a path that starts with /, such as /healthz")


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(v, str) and v.strip() for v in value):
        return tuple(v.strip().lower() for v in value)
    raise ValueError("write a list of words")


def _servers(value: object) -> tuple[str, ...]:
    """Return each server once, as it was written first: who is named twice has one vote."""
    servers: dict[tuple[str, int], str] = {}
    for word in _words(value):
        host, port = parse_server(word)
        servers.setdefault((_same(host), port), word)
    return tuple(servers.values())


def _same(host: str) -> str:
    """Return the one spelling of a host that has several."""
    name = host.removesuffix(".")
    return str(ipaddress.ip_address(name)) if is_address(name) else name


def _hosts(value: object) -> tuple[str, ...]:
    return tuple(parse_host(word) for word in _words(value))


def _here(value: object) -> str | Location | None:
    if value is None or isinstance(value, Location):
        return value
    if isinstance(value, str) and REGION.fullmatch(value):
        return value
    if isinstance(value, dict) and set(value) == {"ip"}:
        value = value["ip"]
    if isinstance(value, str):
        return _address(value)
    if isinstance(value, list | tuple) and len(value) == 2:  # noqa: PLR2004 - a pair
        latitude, longitude = value
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in value):
            return Location(float(latitude), float(longitude))
    raise ValueError("write here as aws:eu-central-1, {ip: 192.0.2.1} or [latitude, longitude]")


def _address(text: str) -> str:
    try:
        return ipaddress.ip_address(text).compressed
    except ValueError:
        raise ValueError("write a region such as aws:eu-central-1, or an IP address") from None


def _factor(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 100:  # noqa: PLR2004
        return float(value)
    raise ValueError("a factor is a number from 1 to 100")


def _optional_count(value: object) -> int | None:
    return None if value is None else parse_count(value)


def _percentile(value: object) -> float:
    if isinstance(value, str) and re.fullmatch(r"p\d{1,2}(\.\d+)?", value):
        value = float(value[1:]) / 100
    if isinstance(value, float) and LEAST_PERCENTILE <= value < 1:
        return value
    raise ValueError("write a percentile from p50 to p99.9, such as p95")


_STRING = (("type", "string"),)
_INTEGER = (("type", "integer"),)
_SECRET = (
    ("oneOf", [{"type": "string"}, {"type": "object"}]),
    ("description", 'a secret: "${NAME}", {env: NAME} or {file: /path}'),
)
_HERE = (("description", "aws:eu-central-1, {ip: 192.0.2.1} or [latitude, longitude]"),)
_LIST = (("type", "array"), ("items", {"type": "string"}))
_STATUSES = (
    ("type", "object"),
    ("additionalProperties", {"enum": list(WORDS)}),
)

Text = Annotated[str, Parsed(_text)]
OptionalText = Annotated[str | None, Parsed(_optional_text, _STRING)]
SecretField = Annotated[Secret | None, Parsed(_secret, _SECRET)]
HeaderName = Annotated[str | None, Parsed(_header_name, _STRING)]
FilePath = Annotated[Path | None, Parsed(_path, _STRING)]
Url = Annotated[str, Parsed(_url, (("type", "string"), ("format", "uri")))]
Target = Annotated[str, Parsed(_target)]
Servers = Annotated[tuple[str, ...], Parsed(_servers, _LIST)]
SkewErrors = Annotated[tuple[SkewError, ...], Parsed(parse_skew_errors, _LIST)]
Statuses = Annotated[tuple[StatusRule, ...], Parsed(parse_statuses, _STATUSES)]
Hosts = Annotated[tuple[str, ...], Parsed(_hosts, _LIST)]
Here = Annotated[str | Location | None, Parsed(_here, _HERE)]
Factor = Annotated[float, Parsed(_factor, (("type", "number"),))]
OptionalCount = Annotated[int | None, Parsed(_optional_count, _INTEGER)]
Percentile = Annotated[float, Parsed(_percentile, _STRING)]
