"""428 Precondition Required: what a server wants of a request first, looked at before one more try.

Three things are asked for by the APIs that answer so: an id of the request, a body that is what it
says it is, and a conversation that is not too old.

Rule 1: an id that is missing is made once, and stays the same over all attempts.
Rule 2: what the caller has to mend is said, by name, and not sent again.
Rule 3: a body is judged only where it says that it is JSON, and a conversation only where somebody
        knows when it began.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

__all__ = ["Began", "Check", "Refused", "began_at", "has", "made_id", "told", "unmet"]

Check = Literal["json", "conversation"]

DAY = 86400.0
LAST_INSTANT = 1e11  # seconds since 1970
JSON_TYPES = ("application/json", "+json")


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that was answered with 428, for a hook that knows its conversation.

    Attributes:
        method: the request's method.
        path: what comes behind an endpoint's base path, with the query.
        headers: name and value of the caller's headers.
        body: the body, or None if it is a stream that can be read only once.
    """

    method: str
    path: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes | None = field(repr=False)


class Began(Protocol):
    """Tells when the conversation of a request began; it must be quick."""

    def __call__(self, refused: Refused, /) -> datetime | float | None:
        """Return an aware datetime, seconds since 1970, or None where it belongs to none."""
        ...


def has(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bool:
    """Return whether a header of that name is there and not empty."""
    return any(n.lower() == name.lower() and v.strip() for n, v in headers)


def made_id(chance: random.Random) -> bytes:
    """Return an id for a request: a random UUID."""
    return str(uuid.UUID(int=chance.getrandbits(128), version=4)).encode("ascii")


def unmet(
    refused: Refused, *, began: datetime | float | None, now: float, max_age: float
) -> tuple[Check, str] | None:
    """Return which check the request fails, and what to do; None: it passes.

    Args:
        refused: the request.
        began: when its conversation began, where that is known.
        now: seconds since 1970.
        max_age: seconds that a conversation may last.
    """
    if (problem := _json_problem(refused)) is not None:
        return "json", problem
    if began is None:
        return None
    age = now - began_at(began)
    if age <= max_age:
        return None
    days, most = age / DAY, max_age / DAY
    return "conversation", (
        f"the conversation began {days:.1f} days ago, and may last {most:g} days: begin a new one"
    )


def told(began: object) -> datetime | float | None:
    """Return what a hook says of the beginning.

    Raises:
        ValueError: it is neither an aware datetime nor seconds since 1970 nor None.
    """
    if isinstance(began, datetime) and began.tzinfo is not None:
        return began
    if began is None or (isinstance(began, int | float) and abs(began) < LAST_INSTANT):
        return began
    raise ValueError("returned no aware datetime, no seconds since 1970 and not None")


def began_at(began: datetime | float) -> float:
    """Return the beginning in seconds since 1970."""
    return began.timestamp() if isinstance(began, datetime) else float(began)


def _json_problem(refused: Refused) -> str | None:
    """Return what is wrong with a body that says that it is JSON; it is not quoted."""
    kinds = [v for n, v in refused.headers if n.lower() == "content-type"]
    kind = kinds[-1].partition(";")[0].strip().lower() if kinds else ""
    if not refused.body or not kind.endswith(JSON_TYPES):
        return None
    try:
        json.loads(refused.body, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        return f"the body says that it is JSON and is not: {error.msg} at {where}"
    except (ValueError, RecursionError):
        return "the body says that it is JSON and cannot be read as such"
    return None


def _no_constant(name: str) -> None:
    """Refuse what Python's parser takes and JSON does not know: NaN and Infinity."""
    raise ValueError(name)
