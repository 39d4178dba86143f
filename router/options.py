"""What a caller may ask of one request: `extensions={"router": Options(…)}`.

Rule: every field defaults to "as configured", so that `Options()` changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal

from router.errors import ConfigError, OptionsError
from router.units import Parsed, parse_fields, parse_positive_duration

__all__ = ["Options"]

KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


def _names(value: object) -> frozenset[str] | None:
    if value is None or isinstance(value, frozenset):
        return value
    if isinstance(value, str):
        return frozenset({value})
    if isinstance(value, list | tuple | set) and all(isinstance(name, str) for name in value):
        return frozenset(value)
    raise ValueError("give a name or several names")


def _tiers(value: object) -> frozenset[int] | None:
    if value is None or isinstance(value, frozenset):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return frozenset({value})
    if isinstance(value, list | tuple | set) and all(isinstance(tier, int) for tier in value):
        return frozenset(value)
    raise ValueError("give a tier's number or several numbers")


def _key(value: object) -> str | None:
    if value is None or (isinstance(value, str) and KEY.fullmatch(value)):
        return value
    raise ValueError("an idempotency key is 1 to 255 visible ASCII characters")


def _deadline(value: object) -> float | None:
    return (
        None
        if value is None
        else parse_positive_duration(float(value) if isinstance(value, int) else value)
    )


def _cost(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf"):
        return float(value)
    raise ValueError("a cost is a number of requests, 0 or more")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Constraints and wishes for one request.

    Attributes:
        regions: only endpoints with one of these region codes or names.
        tags: only endpoints that carry all of these tags.
        tiers: only endpoints of these tiers.
        deadline: seconds for the whole request, in place of `failover.deadline`.
        repeat: what may be repeated, in place of `failover.repeat`.
        idempotency_key: sent as `Idempotency-Key` on every attempt; makes repeating safe.
        cost: how many requests this one counts for at the limiter's rate.

    Raises:
        OptionsError: a value is not of that form.
    """

    regions: Annotated[frozenset[str] | None, Parsed(_names)] = None
    tags: Annotated[frozenset[str] | None, Parsed(_names)] = None
    tiers: Annotated[frozenset[int] | None, Parsed(_tiers)] = None
    deadline: Annotated[float | None, Parsed(_deadline)] = None
    repeat: Literal["safe", "rejected", "always"] | None = None
    idempotency_key: Annotated[str | None, Parsed(_key)] = None
    cost: Annotated[float, Parsed(_cost)] = 1.0

    def __post_init__(self) -> None:
        try:
            parse_fields(self)
        except ConfigError as error:
            raise OptionsError(str(error)) from None
        if self.repeat not in {None, "safe", "rejected", "always"}:
            raise OptionsError("repeat: write one of safe, rejected, always")

    @property
    def constrained(self) -> bool:
        """Whether any endpoint can be excluded by this request."""
        return not (self.regions is None and self.tags is None and self.tiers is None)


NO_OPTIONS = Options()
