"""Quantities as people write them, and the dataclass fields that accept them.

Rule 1: seconds are floats, shares are floats from 0 to 1; a quantity with a dimension carries its
        unit in text (`10s`, `20/minute`, `5%`). A bare number is refused except for 0, since nobody
        can tell seconds from milliseconds by looking at it.
Rule 2: one parser serves YAML and Python: a field annotated with `Parsed` is parsed when its
        dataclass is made (`parse_fields`), and pydantic meets the same parser in the loader.
Rule 3: pydantic is imported only by whoever loads a file.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import types
import typing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from router.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "Count",
    "Duration",
    "Flag",
    "Parsed",
    "PositiveDuration",
    "Rate",
    "Share",
    "parse_count",
    "parse_duration",
    "parse_fields",
    "parse_rate",
    "parse_share",
]

SECONDS = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PERIODS = {
    "s": 1.0,
    "sec": 1.0,
    "second": 1.0,
    "m": 60.0,
    "min": 60.0,
    "minute": 60.0,
    "h": 3600.0,
    "hour": 3600.0,
    "d": 86400.0,
    "day": 86400.0,
}
NAMES = {1.0: "s", 60.0: "minute", 3600.0: "hour", 86400.0: "day"}
"""What a rate's period is called in what people read."""
NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
DURATION = re.compile(rf"{NUMBER}\s*(us|µs|ms|s|m|h|d)", re.ASCII)
RATE = re.compile(rf"{NUMBER}\s*/\s*(?:{NUMBER}\s*)?([a-z]+)", re.ASCII)
SHARE = re.compile(rf"{NUMBER}\s*%", re.ASCII)
LONGEST_TEXT = 100  # no quantity is longer, and matching a long one takes time
LONGEST = 10 * 366 * 86400.0
HIGHEST_RATE = 1e9


def parse_duration(value: object) -> float:
    """Return seconds from `250ms`, `1m30s`, 0, or a number that is already in seconds.

    Raises:
        ValueError: the text has no unit, is negative, or is longer than ten years.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT:
        seconds = sum(float(number) * SECONDS[unit] for number, unit in _parts(value))
    else:
        raise ValueError("write a duration with its unit, such as 250ms, 10s or 5m")
    if not 0 <= seconds <= LONGEST:
        raise ValueError("a duration lies between 0 and ten years")
    return seconds


def _written(parse: Callable[[object], float]) -> Callable[[object], float]:
    """Refuse the bare number that `parse` takes from code: a file says the unit."""

    def parse_written(value: object) -> float:
        return parse(None if isinstance(value, int | float) and value != 0 else value)

    return parse_written


def _parts(text: str) -> list[tuple[str, str]]:
    stripped = text.strip().replace(" ", "")
    if stripped.startswith("-"):
        raise ValueError("a duration is not negative: write 0s or more")
    found: list[tuple[str, str]] = DURATION.findall(stripped)
    if not found or "".join(number + unit for number, unit in found) != stripped:
        raise ValueError("write a duration with its unit, such as 250ms, 10s or 5m")
    return found


def parse_positive_duration(value: object) -> float:
    """Return seconds as `parse_duration` does, and refuse zero."""
    seconds = parse_duration(value)
    if seconds == 0:
        raise ValueError("this duration is more than zero")
    return seconds


@dataclass(frozen=True, slots=True)
class Rate:
    """So many events in so many seconds."""

    events: float
    seconds: float

    @property
    def interval(self) -> float:
        """Seconds between events at this rate."""
        return self.seconds / self.events

    def __str__(self) -> str:
        name = NAMES.get(self.seconds, f"{self.seconds:g}s")
        return f"{self.events:.10g}/{name}"


def parse_rate(value: object) -> Rate:
    """Return the rate of `20/minute`, `100/s` or `5000/5m`.

    Raises:
        ValueError: the text is not of that form, or the rate is zero or beyond 10⁹ a second.
    """
    if isinstance(value, Rate):
        rate = value
    else:
        match = RATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if match is None or match[3] not in PERIODS:
            raise ValueError("write a rate as 20/minute, 100/s or 5000/5m")
        rate = Rate(float(match[1]), float(match[2] or 1) * PERIODS[match[3]])
    if not (rate.seconds > 0 and 0 < rate.events / rate.seconds <= HIGHEST_RATE):
        raise ValueError("a rate is more than zero and at most 10⁹ a second")
    return rate


def parse_share(value: object) -> float:
    """Return a share from `5%`, or from a float that is already between 0 and 1."""
    match = SHARE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is not None:
        share = float(match[1]) / 100
    elif isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool)):
        share = float(value)
    else:
        raise ValueError("write a share as 5% or 0.05")
    if not (math.isfinite(share) and 0 <= share <= 1):
        raise ValueError("a share lies between 0% and 100%")
    return share


def _parse_flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("write true or false")


def parse_count(value: object) -> int:
    """Return a whole number from 1 up."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("write a whole number from 1 up")


@dataclass(frozen=True, slots=True)
class Parsed:
    """Marks a field whose value goes through `parse`; `schema` describes it in JSON Schema.

    A file's value goes through `parse_written` instead, where a file has to say more than code.
    """

    parse: Callable[[Any], Any]
    schema: tuple[tuple[str, Any], ...] = (("type", "string"),)
    parse_written: Callable[[Any], Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema  # noqa: PLC0415 - rule 3

        return core_schema.no_info_plain_validator_function(self.parse_written or self.parse)

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def parse_fields(instance: Any) -> None:
    """Parse every `Parsed` field of a dataclass in place; meant for `__post_init__`.

    Raises:
        ConfigError: naming the field, when its value is refused.
    """
    for name, parse in _parsers(instance.__class__):
        value = getattr(instance, name)
        try:
            parsed = parse(value)
        except ConfigError as error:  # of a section
            raise ConfigError(*(f"{name}.{problem}" for problem in error.problems)) from None
        except ValueError as error:
            raise ConfigError(f"{name}: {error}") from None
        if parsed is not value:
            object.__setattr__(instance, name, parsed)


@functools.cache
def _parsers(cls: Any) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(cls, include_extras=True)
    found = []
    for field in dataclasses.fields(cls):
        hint = hints[field.name]
        markers = [m for m in getattr(hint, "__metadata__", ()) if type(m) is Parsed]
        sections = [
            kind for kind in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(kind)
        ]
        if sections and not markers and typing.get_origin(hint) is not tuple:
            optional = type(None) in typing.get_args(hint)
            markers = [Parsed(functools.partial(_parse_section, sections[0], optional))]
        if choices := _choices(hint):
            markers = [Parsed(functools.partial(_parse_choice, choices))]
        found += [(field.name, marker.parse) for marker in markers]
    return tuple(found)


def _choices(hint: Any) -> tuple[object, ...]:
    """Return what a field has to be one of, None included where it may be left out; or nothing."""
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    if typing.get_origin(hint) in {types.UnionType, typing.Union}:
        *literals, last = sorted(typing.get_args(hint), key=lambda part: part is type(None))
        if last is type(None) and len(literals) == 1 and (found := _choices(literals[0])):
            return (*found, None)
    return ()


def _parse_section(kind: Any, optional: bool, value: object) -> object:  # noqa: FBT001
    """Take a section, or its keys and values; `optional`: or nothing."""
    if isinstance(value, kind) or (value is None and optional):
        return value
    if isinstance(value, dict):
        unknown = set(map(str, value)) - {field.name for field in dataclasses.fields(kind)}
        if unknown:
            raise ValueError(f"a {kind.__name__} has no {', '.join(sorted(unknown))}")
        return kind(**value)
    raise ValueError(f"give a {kind.__name__}, or a dict of its keys and values")


def _parse_choice(choices: tuple[object, ...], value: object) -> object:
    if value not in choices:
        words = [str(choice) for choice in choices if choice is not None]
        raise ValueError(f"write one of {', '.join(words)}")
    return value


_DURATION_SCHEMA = (
    ("type", "string"),
    ("description", "a duration with its unit, such as 250ms, 10s or 5m"),
)
Duration = Annotated[float, Parsed(parse_duration, _DURATION_SCHEMA, _written(parse_duration))]
PositiveDuration = Annotated[
    float, Parsed(parse_positive_duration, _DURATION_SCHEMA, _written(parse_positive_duration))
]
Count = Annotated[int, Parsed(parse_count, (("type", "integer"), ("minimum", 1)))]
Flag = Annotated[bool, Parsed(_parse_flag, (("type", "boolean"),))]
Share = Annotated[
    float,
    Parsed(parse_share, (("type", ["string", "number"]), ("description", "a share: 5% or 0.05"))),
]
