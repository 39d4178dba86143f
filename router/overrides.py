"""What an endpoint's requests carry of their own: how an Endpoint's fields for that are parsed.

    headers: {api-key: "${EU_KEY}"}
    query: {api-version: "2024-06-01"}
    json: {metadata.region: eu}
    models: {gpt-4o: gpt-4o-eu}
    remove: {headers: [X-Debug]}

Rule 1: a value is kept as a Secret, since it may come from `${KEY}`; names are shown, values never.
        A model's names are shown: they are names.
Rule 2: what is made for each attempt (Host, Authorization), what frames a message (Content-Length)
        and what says that a request is the same one (Idempotency-Key) is set nowhere here.
Rule 3: a header or parameter without a value is refused: nobody can tell "empty" from "take it
        out". What is to be taken out stands under `remove`. In `json`, null is a value.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from router.errors import ConfigError
from router.header_names import header_name
from router.placeholders import Variables, parse_variables
from router.secret import Secret
from router.units import Parsed

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "NOTHING",
    "Headers",
    "Json",
    "Models",
    "Query",
    "Removal",
    "Remove",
    "Values",
    "VariablesField",
]

Values = tuple[tuple[str, Secret], ...]
Renamed = tuple[tuple[str, str], ...]

WORD = re.compile(r"[^\s\x00-\x1f\x7f]{1,200}")
SHOWN = re.compile(r"[A-Za-z][A-Za-z_-]{0,39}")
LONGEST_VALUE = 16_384
MADE_BY_OTHERS = {
    "authorization": "is made for each attempt: write what proves a request under token: or sign:",
    "host": "is made for each attempt: it follows from the url",
    "idempotency-key": "says that a request is the same one everywhere: it is the caller's",
} | dict.fromkeys(
    (
        "connection",
        "content-length",
        "expect",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ),
    "belongs to the connection, not to the request",
)
KINDS = ("headers", "query", "json")
HOW_REMOVE = f"write what to take out, by its kind ({', '.join(KINDS)}): {{headers: [X-Debug]}}"


@dataclass(frozen=True, slots=True)
class Removal:
    """Names of what is taken out of requests; a JSON member's may be a dotted path."""

    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()
    json: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.headers or self.query or self.json)


NOTHING = Removal()


def _wrong(name: object, sentence: str) -> ValueError:
    """Return the error at a name, which is shown where it looks like a word."""
    if isinstance(name, str) and SHOWN.fullmatch(name):
        return ConfigError(f"{name}: {sentence}")
    return ValueError(sentence)


def _pairs(value: object, how: str) -> list[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, tuple | list):
        pairs = [tuple(pair) for pair in value if isinstance(pair, tuple | list)]
        if len(pairs) == len(value) and all(len(pair) == 2 for pair in pairs):  # noqa: PLR2004
            return pairs
    raise ValueError(how)


def _once(names: list[str], fold: Callable[[str], str] = str) -> None:
    seen: set[str] = set()
    for name in names:
        if fold(name) in seen:
            raise _wrong(name, "it stands here twice: keep one")
        seen.add(fold(name))


def _header_name(value: object) -> str:
    name = header_name(value, such_as="api-key")
    if name.lower() in MADE_BY_OTHERS:
        raise _wrong(name, f"this header {MADE_BY_OTHERS[name.lower()]}")
    return name


def _word(name: object) -> str:
    if isinstance(name, str) and WORD.fullmatch(name):
        return name
    raise ValueError("a name is 1 to 200 characters without spaces, such as api-version")


def _line(name: str, value: object) -> Secret:
    """Return a value of one line; a whole number is as good as its digits."""
    if isinstance(value, Secret):
        value = value.reveal()
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if value is None or value == "":
        raise _wrong(name, "write a value; what is to be taken out stands under remove:")
    if not isinstance(value, str):
        raise _wrong(name, "put it in quotes: without them it is not a text")
    if len(value) > LONGEST_VALUE or not value.isprintable() or value != value.strip():
        raise _wrong(name, "write one line of text without spaces around it")
    return Secret(value)


def _parse_headers(value: object) -> Values:
    pairs = _pairs(value, 'write headers with their values, such as {api-key: "${EU_KEY}"}')
    made = [(_header_name(name), _line(name, text)) for name, text in pairs]
    _once([name for name, _ in made], str.lower)
    for name, secret in made:
        if not secret.reveal().isascii():
            raise _wrong(name, "a header's value is ASCII")
    return tuple(made)


def _parse_query(value: object) -> Values:
    pairs = _pairs(value, 'write parameters with their values, such as {api-version: "2024-06"}')
    made = [(_word(name), _line(name, text)) for name, text in pairs]
    _once([name for name, _ in made])
    return tuple(made)


def _parse_json(value: object) -> Values:
    pairs = _pairs(value, "write members with their values, such as {model: gpt-4o-eu}")
    made = [(_member_name(name), _json_text(name, found)) for name, found in pairs]
    _once([name for name, _ in made])
    _apart([name for name, _ in made])
    return tuple(made)


def _member_name(name: object) -> str:
    word = _word(name)
    if all(word.split(".")):
        return word
    raise ValueError("a member is a key, or keys with dots between them, such as metadata.region")


def _json_text(name: str, value: object) -> Secret:
    if isinstance(value, Secret):  # it was parsed before
        return value
    try:
        return Secret(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        raise _wrong(name, "write text, a number, true, false, null, a list or a mapping") from None


def _apart(names: list[str]) -> None:
    """Refuse a member of another: which of the two holds would depend on their order."""
    for name in names:
        parts = name.split(".")
        if any(".".join(parts[:end]) in names for end in range(1, len(parts))):
            raise _wrong(name, "it is part of another member that stands here: keep one")


def _parse_models(value: object) -> Renamed:
    pairs = _pairs(value, "write the models with their names here, such as {gpt-4o: gpt-4o-eu}")
    made = [(_model(name), _model(renamed)) for name, renamed in pairs]
    _once([name for name, _ in made])
    return tuple(made)


def _model(name: object) -> str:
    if isinstance(name, str) and WORD.fullmatch(name) and name.strip("."):
        return name
    raise ValueError("a model's name is 1 to 200 characters without spaces, in quotes if a number")


def _parse_remove(value: object) -> Removal:
    if isinstance(value, Removal):
        return value
    if not isinstance(value, Mapping) or not set(value) <= set(KINDS):
        raise ValueError(HOW_REMOVE)
    if any(not isinstance(names, list | tuple) for names in value.values()):
        raise ValueError(HOW_REMOVE)
    return Removal(
        headers=tuple(map(_header_name, value.get("headers", ()))),
        query=tuple(map(_word, value.get("query", ()))),
        json=tuple(map(_member_name, value.get("json", ()))),
    )


def _object(of: dict[str, Any], **more: Any) -> tuple[tuple[str, Any], ...]:
    return (("type", "object"), ("additionalProperties", of), *more.items())


_TEXT = {"type": ["string", "integer"]}
_NAMES = {"type": "array", "items": {"type": "string"}}
_REMOVE = (
    ("type", "object"),
    ("properties", dict.fromkeys(KINDS, _NAMES)),
    ("additionalProperties", False),
)

Headers = Annotated[Values, Parsed(_parse_headers, _object(_TEXT))]
Query = Annotated[Values, Parsed(_parse_query, _object(_TEXT))]
Json = Annotated[Values, Parsed(_parse_json, (("type", "object"),))]
Models = Annotated[Renamed, Parsed(_parse_models, _object({"type": "string"}))]
Remove = Annotated[Removal, Parsed(_parse_remove, _REMOVE)]
VariablesField = Annotated[Variables, Parsed(parse_variables, _object(_TEXT))]
