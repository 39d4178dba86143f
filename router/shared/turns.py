"""Who probes which endpoint: one process of a place in each round, and the others take its result.

Rule 1: a probe begins with a claim that lasts about as long as the shortest round; who comes second
        does not probe, and hears.
Rule 2: a good result counts for all who stand in the same place. One in vain counts for who made
        it; others ask for a second opinion, and only when a second process fails too does it count
        for all: one broken process ejects nothing.
Rule 3: without the store every process probes for itself.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from router.shared.board import Board, keep_exchanging
from router.shared.news import Opinions, read_heading, write_heading
from router.shared.scripts import CLAIM_TURN
from router.shared.store import PATIENCE, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.balance.health import Standing
    from router.shared.board import Line
    from router.shared.keys import Keys
    from router.shared.member import Member
    from router.shared.store import Store

__all__ = ["Probed", "Turns"]

TURN = 0.9
"""Seconds: less than the shortest time between two probes of one endpoint."""
RESULT_HOLDS = 10.0
OLDEST = 5.0
LONGEST = 60.0
MILLI = 1e3


class Probed(Protocol):
    """Who takes the results of probes: the pool."""

    def standing(self, name: str) -> Standing | None:
        """Return what is known of an endpoint; None: there is no such endpoint."""
        ...

    def probed(self, name: str, *, connect: float, warm: float, now: float) -> None:
        """Take a probe's figures in seconds."""
        ...

    def probe_failed(self, name: str, words: str, *, reached: bool = False, now: float) -> None:
        """Take a probe's failure."""
        ...


class Turns:
    """Claims probes for this process, tells their results, and passes on those of others."""

    def __init__(
        self,
        pool: Probed,
        *,
        store: Store,
        keys: Keys,
        member: Member,
        vantage: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the pool; processes with the same `vantage` see the same times."""
        self._pool, self._store, self._keys, self._member = pool, store, keys, member
        self._clock = clock
        self._part = f"probes:{vantage}"
        self._board = Board(store, keys.key(self._part, "board"))
        self._opinions = Opinions()
        self._results: deque[tuple[str, str, float]] = deque(maxlen=1000)
        self.heard: Callable[[str, float], None] = lambda _name, _now: None
        """Told of an endpoint that another process has just probed, and when."""
        self.doubted: Callable[[str, float], None] = lambda _name, _now: None
        """Told of an endpoint that should be probed once more, and when."""

    async def mine(self, name: str) -> bool:
        """Return whether this process is to probe the endpoint now."""
        key = self._keys.key(f"{self._part}:{name}", "turn")
        try:
            args: list[str | float] = [self._member.name, int(TURN * MILLI)]
            return bool(await self._store.call(CLAIM_TURN, [key], args, timeout=PATIENCE))
        except StoreError:
            return True

    # -- what a prober tells the pool goes to the board as well

    def probed(self, name: str, *, connect: float, warm: float, now: float) -> None:
        """Take a probe of this process that ended well."""
        self._pool.probed(name, connect=connect, warm=warm, now=now)
        self._opinions.take(name, self._member.name, well=True, now=now)
        self._post(name, f"1 {connect:.6f} {warm:.6f}")

    def probe_failed(self, name: str, words: str, *, reached: bool = False, now: float) -> None:
        """Take a probe of this process that failed."""
        self._pool.probe_failed(name, words, reached=reached, now=now)
        self._opinions.take(name, self._member.name, well=False, now=now)
        self._post(name, f"0 {int(reached)} 0")

    def _post(self, name: str, text: str) -> None:
        self._results.append((write_heading(name), f"{text} {self._member.name}", RESULT_HOLDS))

    # -- and what others post goes to the pool

    async def run(self) -> None:
        """Exchange results until cancelled."""
        await keep_exchanging(self.exchange)

    async def exchange(self) -> None:
        """Post results, and take those of others.

        Raises:
            StoreError: the results of this round reach nobody.
        """
        posted = list(self._results)
        self._results.clear()
        for line in await self._board.exchange(posted):
            self._take(line, self._clock())

    def _take(self, line: Line, now: float) -> None:
        heading, words = read_heading(line.heading, 1), line.text.split(" ", 3)
        if heading is None or len(words) != 4 or line.age > OLDEST:  # noqa: PLR2004 - as posted
            return
        name, (well, first, second, teller) = heading[0], words
        figures = _seconds(first), _seconds(second)
        if teller == self._member.name or None in figures or self._pool.standing(name) is None:
            return
        self.heard(name, now - line.age)
        verdict = self._opinions.take(name, teller, well=well == "1", now=now)
        if verdict == "good":
            connect, warm = _seconds(first) or 0.0, _seconds(second) or 0.0
            self._pool.probed(name, connect=connect, warm=warm, now=now)
        elif verdict == "bad":
            words_of = f"probes failed, the last one from {teller}"
            self._pool.probe_failed(name, words_of, reached=first == "1", now=now)
        else:
            self.doubted(name, now)


def _seconds(text: str) -> float | None:
    """Return what another process measured, if it can be."""
    with contextlib.suppress(ValueError):
        seconds = float(text)
        if math.isfinite(seconds) and 0 <= seconds <= LONGEST:
            return seconds
    return None
