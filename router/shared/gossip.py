"""Tells other processes which endpoints are out or ask to be left alone, and hears what they say.

Rule 1: what the pool notes costs an append; telling and hearing happen here, in the background,
        four times a second.
Rule 2: outages are told to processes that stand in the same place (`vantage`), since a path may be
        broken for one place only; what a server asks for is told to all.
Rule 3: what `news` says to believe reaches the pool as hearsay, which it never counts as evidence
        of its own.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from router.shared.board import Board, keep_exchanging
from router.shared.news import (
    LONGEST_COOLING,
    MOST_TOLD,
    Heard,
    believed,
    read_heading,
    write_heading,
)
from router.shared.store import StoreError

if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Callable

    from router.balance.health import Standing
    from router.shared.board import Line
    from router.shared.keys import Keys
    from router.shared.member import Member
    from router.shared.store import Store

__all__ = ["Gossip", "Hearing"]

TAKEN_BACK = 5.0
"""Seconds for which others can read that it serves again."""
ALMOST = 0.5
OUT, COOL = "out", "cool"
WORDS = 3


class Hearing(Protocol):
    """What gossip needs of the pool."""

    troubled: deque[str]
    """Endpoints of which something changed, oldest first."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all endpoints."""
        ...

    def standing(self, name: str) -> Standing | None:
        """Return what this process itself knows."""
        ...

    def told_out(self, name: str, words: str, *, until: float, now: float) -> None:
        """Leave an endpoint out, as others do."""
        ...

    def told_back(self, name: str, *, now: float) -> None:
        """Take it back, if nothing else speaks against the endpoint."""
        ...

    def told_cool(self, name: str, *, until: float) -> None:
        """Leave an endpoint alone, as it asked others to."""
        ...


class Gossip:
    """One process's ear and mouth."""

    def __init__(
        self,
        pool: Hearing,
        *,
        store: Store,
        keys: Keys,
        member: Member,
        vantage: str,
        cooled: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take whom to tell; `cooled` is called after an endpoint is left alone by hearsay."""
        self._pool, self._member, self._clock, self._cooled = pool, member, clock, cooled
        self._near = Board(store, keys.key(f"news:{vantage}", "board"))
        self._far = Board(store, keys.key("news", "board"))
        self._heard = Heard()
        self._cool_heard = Heard()
        self._told: dict[tuple[str, str], float] = {}
        self._hearsay: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Tell and hear until cancelled."""
        await keep_exchanging(self.exchange)

    async def exchange(self) -> None:
        """Tell what is new, and hear what others say.

        Raises:
            StoreError: it was not told; what still holds is told next time.
        """
        near, far = self._news(self._clock())
        told = dict(self._told)
        try:
            near_lines = await self._near.exchange(near)
            far_lines = await self._far.exchange(far)
        except StoreError:
            self._told = {}
            self._pool.troubled.extend(name for _, name in told)
            raise
        self._hear([*near_lines, *far_lines], self._clock())

    def _news(self, now: float) -> tuple[list[tuple[str, str, float]], ...]:
        """Return what to tell those nearby, and all."""
        names = {name for _, name in self._told}
        while self._pool.troubled:
            names.add(self._pool.troubled.popleft())
        near: list[tuple[str, str, float]] = []
        far: list[tuple[str, str, float]] = []
        for name in sorted(names):
            if (own := self._pool.standing(name)) is not None:
                near += self._change(OUT, name, own.out_until, now)
                far += self._change(COOL, name, own.cooling_until, now)
        return near, far

    def _change(
        self, kind: str, name: str, until: float, now: float
    ) -> list[tuple[str, str, float]]:
        """Return the line that says what is not said yet."""
        key = (kind, name)
        if until <= self._hearsay.get(key, now) + ALMOST:
            until = now  # nothing, or what others said
        told = self._told.get(key)
        if until <= now:
            self._told.pop(key, None)
            back = told is not None and told > now
            return [self._line(kind, name, "0", TAKEN_BACK)] if back else []
        if told is not None and until <= told + ALMOST:
            return []
        self._told[key] = until
        return [self._line(kind, name, "1", until - now)]

    def _line(self, kind: str, name: str, text: str, left: float) -> tuple[str, str, float]:
        return write_heading(kind, self._member.name, name), text, left

    def _hear(self, lines: list[Line], now: float) -> None:
        names = set(self._pool.names())
        told = set()
        for line in lines:
            words = read_heading(line.heading, WORDS)
            if words is None or words[1] == self._member.name or words[2] not in names:
                continue
            kind, teller, name = words
            until = now + line.left if line.text == "1" else now
            if kind == COOL:
                self._cool_heard.told(teller, name, until)
                until = min(until, self._longest_cooling(teller, name, len(names), now))
                if until > now:
                    self._cool(name, until)
            elif kind == OUT:
                self._heard.told(teller, name, until)
                told.add(name)
        self._heard.forget(now)
        self._cool_heard.forget(now)
        if told:
            said = {name for kind, name in self._hearsay if kind == OUT}
            for name in (told | said) & names:
                self._weigh(name, len(names), now)

    def _longest_cooling(self, teller: str, name: str, population: int, now: float) -> float:
        """Return until when a teller's word on a Retry-After is believed."""
        heard = self._cool_heard
        alone = len(heard.tellers(name, now)) < 2  # noqa: PLR2004 - nobody else says so
        doubted = alone and heard.broken(teller, now, population)
        return now + (MOST_TOLD if doubted else LONGEST_COOLING)

    def _cool(self, name: str, until: float) -> None:
        self._hearsay[COOL, name] = until
        self._pool.told_cool(name, until=until)
        self._cooled()

    def _weigh(self, name: str, population: int, now: float) -> None:
        own = self._pool.standing(name)
        if own is None:
            return
        if not believed(self._heard, name, own, population=population, now=now):
            if self._hearsay.pop((OUT, name), None) is not None:
                self._pool.told_back(name, now=now)
        elif own.out_until <= now:
            tellers = self._heard.tellers(name, now)
            longest = max(self._heard.out[name].values())
            until = min(longest, now + MOST_TOLD)
            self._hearsay[OUT, name] = until
            words = f"{len(tellers)} other process(es) left it out, such as {min(tellers)}"
            self._pool.told_out(name, words, until=until, now=now)
