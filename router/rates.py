"""What limits say: rates of requests or of other things that requests cost, such as tokens.

    rate: 20/minute
    rate: [20/minute, 1000/day]
    rate: [100/minute, {of: tokens, rate: 40000/minute, burst: 8000, cost: 500}]

Rule 1: a parser is idempotent, and refuses with a sentence that says what to write.
Rule 2: what a rate counts has a name; the rate of requests counts each request once, or as
        `Options.cost` says, other rates what `Options.cost` says of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any

from router.units import Parsed, Rate, parse_count, parse_fields, parse_rate

__all__ = ["REQUESTS", "Bound", "EndpointLimits", "OwnLimits", "Rates", "parse_rates"]

REQUESTS = "requests"
MOST_RATES = 16
BURST_SHARE = 10
HIGHEST_COST = 1e8
NAME = re.compile(r"[a-z][a-z0-9_-]{0,49}")
KEYS = frozenset({"of", "rate", "burst", "cost"})
HOW = "write a rate as 20/minute, or a list of rates such as [20/minute, 1000/day]"
HOW_OF = "write {of: tokens, rate: 40000/minute}, and burst and cost beside them where needed"
HOW_OWN = (
    "write concurrency and rate, and no other key, "
    "such as {concurrency: 10, rate: {rate: 50/s, burst: 5}}"
)


@dataclass(frozen=True, slots=True)
class Bound:
    """A rate, and what it counts.

    Attributes:
        burst: how much may come at once; None: a tenth of the rate's events, at least 1.
        cost: what a request counts for that says nothing; requests count for 1.
    """

    rate: Rate
    of: str = REQUESTS
    burst: int | None = None
    cost: float = 0.0

    @property
    def most(self) -> int:
        """What may come at once after a pause."""
        return self.burst or max(1, int(self.rate.events // BURST_SHARE))

    def __str__(self) -> str:
        return str(self.rate) if self.of == REQUESTS else f"{self.rate} {self.of}"


def parse_rates(value: object) -> tuple[Bound, ...]:
    """Return the rates of a text, of a mapping, or of a list of these."""
    if value is None:
        return ()
    found = value if isinstance(value, list | tuple) else [value]
    if not 0 < len(found) <= MOST_RATES and value != ():
        raise ValueError(f"{HOW}: 1 to {MOST_RATES} of them")
    return tuple(map(_bound, found))


def _bound(value: object) -> Bound:
    if isinstance(value, Bound):
        return value
    if not isinstance(value, dict):
        return Bound(parse_rate(value))
    if not {"rate"} <= set(value) <= KEYS:
        raise ValueError(HOW_OF)
    burst = value.get("burst")
    of, cost = _name(value.get("of", REQUESTS)), _cost(value.get("cost", 0.0))
    if cost and of == REQUESTS:
        raise ValueError("a request counts for one request: cost belongs to other rates")
    made = Bound(parse_rate(value["rate"]), of, None if burst is None else parse_count(burst), cost)
    if cost > made.most:
        raise ValueError(
            f"the cost of a request is at most the burst, which is {made.most}: write a burst"
        )
    return made


def _name(value: object) -> str:
    if isinstance(value, str) and NAME.fullmatch(value):
        return value
    raise ValueError("name what a rate counts in small letters, such as tokens")


def _cost(value: object) -> float:
    if _is_number(value) and 0 <= value <= HIGHEST_COST:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    raise ValueError("a cost is a number from 0 up")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _own_limits(value: object) -> EndpointLimits | None:
    if value is None or isinstance(value, EndpointLimits):
        return value
    if not isinstance(value, dict) or not set(value) <= {"concurrency", "rate"}:
        raise ValueError(HOW_OWN)
    return EndpointLimits(**value)


def _window(value: object) -> int | None:
    return None if value is None else parse_count(value)


_RATE: dict[str, Any] = {"type": "string", "description": "20/minute, 100/s or 5000/5m"}
_ITEM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "of": {"type": "string", "description": "what it counts, such as tokens"},
        "rate": _RATE,
        "burst": {"type": "integer", "minimum": 1, "description": "how much may come at once"},
        "cost": {"type": "number", "minimum": 0, "description": "of a request that says nothing"},
    },
    "required": ["rate"],
    "additionalProperties": False,
}
_RATES: dict[str, Any] = {
    "anyOf": [_RATE, _ITEM, {"type": "array", "items": {"anyOf": [_RATE, _ITEM]}, "minItems": 1}]
}
_OWN: dict[str, Any] = {
    "type": "object",
    "properties": {"concurrency": {"type": "integer", "minimum": 1}, "rate": _RATES},
    "additionalProperties": False,
}

Rates = Annotated[
    Rate | Bound | tuple[Rate | Bound, ...] | None, Parsed(parse_rates, tuple(_RATES.items()))
]


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """What one endpoint takes, whatever the account may: requests under way, and rates."""

    concurrency: Annotated[int | None, Parsed(_window)] = None
    rate: Rates = ()

    def __post_init__(self) -> None:
        parse_fields(self)

    @property
    def bounds(self) -> tuple[Bound, ...]:
        """The rates, as they were parsed."""
        return parse_rates(self.rate)


OwnLimits = Annotated[EndpointLimits | None, Parsed(_own_limits, tuple(_OWN.items()))]
