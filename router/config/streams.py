"""The types of the settings for streamed bodies.

Rule: as in `fields`: a parser is idempotent, and refuses with a sentence that says what to write.
"""

from __future__ import annotations

from typing import Annotated, Literal

from router.units import Parsed, parse_positive_duration

__all__ = ["OptionalDuration", "Stall"]

AUTO: Literal["auto"] = "auto"
OFF: Literal["off"] = "off"


def _stall(value: object) -> float | str:
    if value in (AUTO, OFF):
        return str(value)
    if value is False:  # YAML reads a bare off so
        return OFF
    try:
        return parse_positive_duration(value)
    except ValueError as error:
        raise ValueError(f"write auto, off or a duration; {error}") from None


def _written_stall(value: object) -> float | str:
    return _stall(None if _is_number(value) else value)


def _is_number(value: object) -> bool:
    """Return whether a file wrote a number, where it has to say the unit."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _optional_duration(value: object) -> float | None:
    return None if value is None else parse_positive_duration(value)


def _written_optional(value: object) -> float | None:
    if _is_number(value):
        return parse_positive_duration(None)  # a file says the unit
    return _optional_duration(value)


_STALL_SCHEMA = (
    ("type", "string"),
    ("description", "auto, off, or a duration with its unit, such as 5s"),
)
_DURATION_SCHEMA = (
    ("type", "string"),
    ("description", "a duration with its unit, such as 250ms, 10s or 5m"),
)

Stall = Annotated[float | str, Parsed(_stall, _STALL_SCHEMA, _written_stall)]
OptionalDuration = Annotated[
    float | None, Parsed(_optional_duration, _DURATION_SCHEMA, _written_optional)
]
