"""What a caller may ask of one request: `extensions={"router": Options(…)}`.

Rule: every field defaults to "as configured", so that `Options()` changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeVar

from router.errors import OptionsError
from router.rates import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from router.streams.resume import Resume

__all__ = ["CURRENT", "NO_OPTIONS", "Options", "Repeat", "parse_cost", "using"]

Repeat = Literal["safe", "rejected", "always"]

T = TypeVar("T", str, int)
LARGEST = 1e8
HIGHEST = 9
LAST_INSTANT = 1e11  # seconds since 1970
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
        cost: how many requests this one counts for at the limiter's rates, or what it costs at
            each, such as `{"tokens": 1200}`; what no rate counts is not counted.
        costs: the part of it that is not of requests; made from `cost`.
        priority: who of those that wait for the limiter goes first, -9 to 9; a step is worth five
            seconds of waiting, so that nobody waits for ever.
        affinity: a word for what should stay together, such as a conversation: its requests go
            to one endpoint while that is well, since caches live there.
        hedge: false sends no second request when the first is late; true does, although
            `failover.hedge` is not set. Only what may be sent twice is.
        conversation_began: when the conversation began, an aware datetime or seconds since 1970;
            looked at when a server answers 428.
        stream_deadline: seconds for a streamed body as a whole, in place of
            `failover.stream_deadline`.
        resume: how a streamed body goes on that broke off: `range` (the rest of a download),
            `last-event-id` (server-sent events), or a function of a `Broken` that returns headers
            for the request that continues it, or None. Left out: it ends with an error.
    """

    regions: frozenset[str] | None
    tags: frozenset[str] | None
    tiers: frozenset[int] | None
    deadline: float | None
    repeat: Repeat | None
    idempotency_key: str | None
    cost: float
    costs: tuple[tuple[str, float], ...]
    priority: int
    affinity: str | None
    hedge: bool | None
    conversation_began: datetime | float | None
    stream_deadline: float | None
    resume: Literal["range", "last-event-id"] | Resume | None
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
        cost: float | Mapping[str, float] = 1.0,
        priority: int = 0,
        affinity: str | None = None,
        hedge: bool | None = None,
        conversation_began: datetime | float | None = None,
        stream_deadline: float | None = None,
        resume: Literal["range", "last-event-id"] | Resume | None = None,
    ) -> None:
        """Check and keep what is given; one name or number stands for a set of one.

        Raises:
            OptionsError: a value is not of its form.
        """
        _check_times(deadline, stream_deadline, conversation_began)
        _check_repeating(repeat, idempotency_key, hedge, resume)
        _check_place(priority, affinity)
        requests, costs = parse_cost(cost)
        constraints = (
            _set("regions", regions, str),
            _set("tags", tags, str),
            _set("tiers", tiers, int),
        )
        keep = partial(object.__setattr__, self)  # it is frozen
        keep("regions", constraints[0])
        keep("tags", constraints[1])
        keep("tiers", constraints[2])
        keep("constraints", constraints)
        keep("constrained", constraints != (None, None, None))
        keep("deadline", deadline)
        keep("repeat", repeat)
        keep("idempotency_key", idempotency_key)
        keep("cost", 1.0 if requests is None else requests)
        keep("costs", costs)
        keep("priority", priority)
        keep("affinity", affinity)
        keep("hedge", hedge)
        keep("conversation_began", conversation_began)
        keep("stream_deadline", stream_deadline)
        keep("resume", resume)


def parse_cost(
    cost: float | Mapping[str, float], *, least: float = 0.0
) -> tuple[float | None, tuple[tuple[str, float], ...]]:
    """Return what a cost says of requests, None: nothing, and of other things.

    Raises:
        OptionsError: it is no number, or not a mapping of names to numbers.
    """
    if not isinstance(cost, Mapping):
        cost = {REQUESTS: cost}
    for of, number in cost.items():
        above = least if of == REQUESTS else -1.0
        if not _is_name(of) or not _is_number(number, above=above) or number < 0:
            raise OptionsError(
                "cost: give a number of requests, more than 0, or numbers by name, "
                'such as {"tokens": 1200}'
            )
    others = sorted((of, float(number)) for of, number in cost.items() if of != REQUESTS)
    return cost.get(REQUESTS), tuple(others)


def _is_name(value: object) -> bool:
    return isinstance(value, str)


def _is_priority(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= HIGHEST


def _check_times(deadline: object, stream_deadline: object, began: object) -> None:
    if deadline is not None and not _is_number(deadline, above=0.0):
        raise OptionsError("deadline: give seconds, more than 0")
    if stream_deadline is not None and not _is_number(stream_deadline, above=0.0):
        raise OptionsError("stream_deadline: give seconds, more than 0")
    if began is not None and not _is_instant(began):
        raise OptionsError(
            "conversation_began: give a datetime with a time zone, or seconds since 1970"
        )


def _check_repeating(repeat: object, key: object, hedge: object, resume: object) -> None:
    if repeat not in (None, "safe", "rejected", "always"):
        raise OptionsError("repeat: write one of safe, rejected, always")
    if key is not None and not _is_key(key):
        raise OptionsError("idempotency_key: give 1 to 255 visible ASCII characters")
    if hedge not in (None, True, False):
        raise OptionsError("hedge: write true or false")
    if not callable(resume) and resume not in (None, "range", "last-event-id"):
        raise OptionsError("resume: write range or last-event-id, or give a function of a Broken")


def _check_place(priority: object, affinity: object) -> None:
    if not _is_priority(priority):
        raise OptionsError(f"priority: give a whole number, {-HIGHEST} to {HIGHEST}")
    if affinity is not None and not _is_word(affinity):
        raise OptionsError("affinity: give a word of 1 to 1000 characters")


def _is_key(value: object) -> bool:
    return isinstance(value, str) and KEY.fullmatch(value) is not None


def _is_instant(value: object) -> bool:
    if isinstance(value, datetime):
        return value.tzinfo is not None
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LAST_INSTANT
    )


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

CURRENT: ContextVar[Options] = ContextVar("router.options", default=NO_OPTIONS)
"""The Options of requests that bring none of their own."""


@contextmanager
def using(options: Options) -> Iterator[None]:
    """Let requests of this thread or task have these Options, where they bring none of their own.

    It is for who cannot pass `extensions=`, such as an SDK's user. Tasks that are begun inside have
    them too; a `using` inside another takes its place.

    Raises:
        OptionsError: it is no Options.
    """
    if not isinstance(options, Options):
        raise OptionsError("using(…) takes a router.Options")
    token = CURRENT.set(options)
    try:
        yield
    finally:
        CURRENT.reset(token)
