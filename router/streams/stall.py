"""How long a stream may be silent, learned from the gaps that streams have.

Rule 1: nothing is assumed before ENOUGH gaps were seen; the limit is then far above what is usual
        (a high quantile of the recent waits), above FLOOR, and above the longest recent wait.
Rule 2: kinds of body are learned apart: a download has other gaps than a model that thinks.
Rule 3: the wait for the first byte is no gap: a model may think before its first word.
Rule 4: a gap that was too long is remembered too: if that is how the stream is, the next limit is
        twice as long, and nobody is cut off for it again.
Rule 5: one chunk costs one call here; the limit is reckoned once for many.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.call import Header

__all__ = ["AUTO", "OFF", "Fixed", "Gaps", "Patience", "Usual"]

AUTO = "auto"
OFF = "off"

ENOUGH = 50
FLOOR = 5.0
USUAL_TIMES = 10.0
LONGEST_TIMES = 2.0
QUANTILE = 0.99
A_WAIT = 1e-3  # what comes sooner was there already, or nearly
RECENT = 512
RECKONED_EVERY = 32
MOST_KINDS = 64
CUT_TIMES = 2.0
OTHER = b"other"


class Patience(Protocol):
    """How long a stream may be silent.

    Attributes:
        limit: seconds; infinite where nothing is known.
        usual: seconds of a gap that is long but usual, or None.
    """

    limit: float
    usual: float | None

    def saw(self, gap: float) -> None:
        """Take a gap between two chunks, in seconds."""
        ...

    def cut(self) -> None:
        """Note that a stream was ended for its silence."""
        ...


class Fixed:
    """A limit that the user gave."""

    __slots__ = ("limit", "usual")

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.usual: float | None = None

    def saw(self, gap: float) -> None:
        """Learn nothing."""

    def cut(self) -> None:
        """Learn nothing."""


class Usual:
    """What one kind of body is like; threads may share it, since a lost sample harms nothing."""

    __slots__ = ("_at", "_cut_at", "_seen", "_waits", "limit", "usual")

    def __init__(self) -> None:
        self._waits: list[float] = []
        self._at = 0
        self._seen = 0
        self._cut_at: int | None = None
        self.limit = math.inf
        self.usual: float | None = None

    def saw(self, gap: float) -> None:
        self._seen += 1
        if gap > A_WAIT:
            self._remember(gap)
        elif self._seen == ENOUGH:
            self._reckon()

    def cut(self) -> None:
        """Be twice as patient for a while, in case it was too soon; not more, however many stall.

        What a gap would have lasted is not known, so it is no sample.
        """
        self._cut_at = self._seen
        if self._seen >= ENOUGH:
            self._reckon()

    def _remember(self, gap: float) -> None:
        if len(self._waits) < RECENT:
            self._waits.append(gap)
        else:
            self._waits[self._at % RECENT] = gap
        self._at += 1
        if self._seen >= ENOUGH and (gap > self.limit / LONGEST_TIMES or self._is_due()):
            self._reckon()

    def _is_due(self) -> bool:
        return self._seen == ENOUGH or self._at % RECKONED_EVERY == 0

    def _reckon(self) -> None:
        waits = sorted(self._waits)
        self.usual = waits[math.ceil(QUANTILE * len(waits)) - 1] if waits else A_WAIT
        longest = waits[-1] if waits else 0.0
        limit = max(FLOOR, USUAL_TIMES * self.usual, LONGEST_TIMES * longest)
        lately = self._cut_at is not None and self._seen - self._cut_at < RECENT
        self.limit = CUT_TIMES * limit if lately else limit


class Gaps:
    """What all streams of a Router are like, by kind."""

    def __init__(self) -> None:
        self._kinds: dict[bytes, Usual] = {}

    def patience(self, setting: float | str, headers: Iterable[Header]) -> Patience:
        """Return how long this answer may be silent; `setting`: `auto`, `off` or seconds."""
        if setting == OFF:
            return Fixed(math.inf)
        if not isinstance(setting, str):
            return Fixed(setting)
        return self._kind(media_type(headers))

    def _kind(self, name: bytes) -> Usual:
        known = self._kinds.get(name)
        if known is None:
            name = name if len(self._kinds) < MOST_KINDS else OTHER
            known = self._kinds.setdefault(name, Usual())
        return known


def media_type(headers: Iterable[Header]) -> bytes:
    """Return the media type that headers name, in lower case and without parameters."""
    for name, value in headers:
        if name.lower() == b"content-type":
            return value.partition(b";")[0].strip().lower()
    return b""
