"""What of a caller's headers goes out, and what they must be like before any of them is sent.

Rule 1: nothing that ends a line gets into a header. HTTP/1.1's library refuses it when it writes,
        but that of HTTP/2 lets it pass, to be a second header behind the next proxy.
Rule 2: a malformed request is the caller's to mend, so it is refused before it has a permit, an
        endpoint or a connection. The sentence says where, and quotes no value: it may be a secret.
Rule 3: bytes beyond ASCII pass: they are opaque, and end no line.
Rule 4: what each attempt makes anew is taken out.
Rule 5: a client's requests have the same names again and again: what follows from names alone is
        found once (`Plan`). Of no value anything is kept, nor of what is no name.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    Header = tuple[bytes, bytes]

__all__ = ["Sieve", "malformed"]

USUAL = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
ENDS_A_LINE = re.compile(rb"[\r\n\0]")
IDEMPOTENCY_KEY = b"idempotency-key"
NAME, VALUE = itemgetter(0), itemgetter(1)
MOST_PLANS = 256
MOST_NAMES = 64
LONGEST = 4096
"""Bytes of all names together, up to which what follows from them is remembered."""


class Plan(NamedTuple):
    """What follows from the names of a request's headers.

    Attributes:
        pick: returns those that go out; None: all do.
        keys: the places of idempotency keys.
        sound: whether each of those that go out has a name.
    """

    pick: Callable[[Sequence[Header]], Sequence[Header]] | None
    keys: tuple[int, ...]
    sound: bool


class Sieve:
    """Sifts callers' headers; safe to use from any thread."""

    __slots__ = ("_anew", "_plans")

    def __init__(self, anew: Collection[bytes]) -> None:
        """`anew`: the names, in lower case, that each attempt makes itself."""
        self._anew = frozenset(anew)
        self._plans: dict[tuple[bytes, ...], Plan] = {}

    def sift(self, method: str, headers: list[Header]) -> tuple[list[Header], bool, str | None]:
        """Return those that go out, whether they hold an idempotency key, and what is wrong."""
        names = tuple(map(NAME, headers))
        plan = self._plans.get(names)
        if plan is None:
            plan = self._plan(headers)
            if plan.sound and len(names) <= MOST_NAMES and sum(map(len, names)) <= LONGEST:
                if len(self._plans) >= MOST_PLANS:
                    self._plans.clear()
                self._plans[names] = plan
        kept = headers if plan.pick is None else [*plan.pick(headers)]
        keyed = bool(plan.keys) and any(headers[place][1].strip() for place in plan.keys)
        values = b"".join(map(VALUE, kept))
        broken = b"\n" in values or b"\r" in values or b"\0" in values
        sound = plan.sound and method in USUAL and not broken
        problem = None if sound else malformed(method, kept)
        return kept, keyed, problem

    def _plan(self, headers: Sequence[Header]) -> Plan:
        lower = [name.lower() for name, _ in headers]
        kept = tuple(place for place, name in enumerate(lower) if name not in self._anew)
        keys = tuple(place for place in kept if lower[place] == IDEMPOTENCY_KEY)
        sound = all(TOKEN.fullmatch(headers[place][0]) for place in kept)
        pick: Callable[[Sequence[Header]], Sequence[Header]] | None = None
        if len(kept) < len(headers):
            pick = itemgetter(*kept) if len(kept) > 1 else _few(kept)
        return Plan(pick, keys, sound)


def _few(places: tuple[int, ...]) -> Callable[[Sequence[Header]], Sequence[Header]]:
    return lambda headers: [headers[place] for place in places]


def malformed(method: str, headers: Sequence[Header]) -> str | None:
    """Return in a sentence what of a request could become a second line, or None."""
    if method not in USUAL and not TOKEN.fullmatch(method.encode("utf-8")):
        return "the method is not one word of HTTP: nothing was sent"
    return next(filter(None, map(_malformed_header, range(1, len(headers) + 1), headers)), None)


def _malformed_header(place: int, header: Header) -> str | None:
    name, value = header
    if not TOKEN.fullmatch(name):
        return f"the name of header {place} is not one word: nothing was sent"
    if ENDS_A_LINE.search(value):
        return f"the value of {name.decode('ascii')} holds CR, LF or NUL: nothing was sent"
    return None
