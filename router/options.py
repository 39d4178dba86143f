"""What a caller may ask of one request: `extensions={"router": Options(…)}`.

Rule: every field defaults to "as configured", so that `Options()` changes nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeVar

from router.errors import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["NO_OPTIONS", "Options", "Repeat"]

Repeat = Literal["safe", "rejected", "always"]

T = TypeVar("T", str, int)
LARGEST = 1e8
LONGEST_WORD = 1000
KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True, init=False)
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
        affinity: a word for what should stay together, such as a conversation: its requests go
            to one endpoint while that is well, since caches live there.
    """

    regions: frozenset[str] | None
    tags: frozenset[str] | None
    tiers: frozenset[int] | None
    deadline: float | None
    repeat: Repeat | None
    idempotency_key: str | None
    cost: float
    affinity: str | None
    constrained: bool = field(repr=False, compare=False)
    constraints: tuple[object, ...] = field(repr=False, compare=False)

    def __init__(
        self,
        *,
        regions: str | Iterable[str] | None = None,
        tags: str | Iterable[str] | None = None,
        tiers: int | Iterable[int] | None = None,
        deadline: float | None = None,
        repeat: Repeat | None = None,
        idempotency_key: str | None = None,
        cost: float = 1.0,
        affinity: str | None = None,
    ) -> None:
        """Check and keep what is given; one name or number stands for a set of one.

        Raises:
            OptionsError: a value is not of its form.
        """
        if deadline is not None and not _is_number(deadline, above=0.0):
            raise OptionsError("deadline: give seconds, more than 0")
        if repeat not in (None, "safe", "rejected", "always"):
            raise OptionsError("repeat: write one of safe, rejected, always")
        if idempotency_key is not None and not _is_key(idempotency_key):
            raise OptionsError("idempotency_key: give 1 to 255 visible ASCII characters")
        if not _is_number(cost, above=0.0):
            raise OptionsError("cost: give a number of requests, more than 0")
        if affinity is not None and not _is_word(affinity):
            raise OptionsError("affinity: give a word of 1 to 1000 characters")
        constraints = (
            _set("regions", regions, str),
            _set("tags", tags, str),
            _set("tiers", tiers, int),
        )
        values = {
            "regions": constraints[0],
            "tags": constraints[1],
            "tiers": constraints[2],
            "affinity": affinity,
            "constraints": constraints,
            "constrained": constraints != (None, None, None),
            "deadline": deadline,
            "repeat": repeat,
            "idempotency_key": idempotency_key,
            "cost": cost,
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)


def _is_key(value: object) -> bool:
    return isinstance(value, str) and KEY.fullmatch(value) is not None


def _is_word(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_WORD


def _is_number(value: object, *, above: float) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and above < value <= LARGEST
    )


def _set(field: str, value: T | Iterable[T] | None, kind: type[T]) -> frozenset[T] | None:
    if value is None:
        return None
    if isinstance(value, kind):
        return frozenset((value,))
    try:
        names = frozenset(value)  # type: ignore[arg-type]
    except TypeError:
        names = frozenset((None,))  # type: ignore[arg-type]
    if not all(isinstance(name, kind) for name in names):
        raise OptionsError(f"{field}: give a {kind.__name__}, or several")
    return names


NO_OPTIONS = Options()
