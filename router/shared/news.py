"""What one process tells others of endpoints, and what those believe.

Rule 1: one's own eyes come first. An endpoint that answered this process's own requests of late is
        not left out because somebody says so.
Rule 2: who says that most endpoints are out speaks of its own network: it is believed only where
        another says the same. So one broken process ejects nothing for all.
Rule 3: else an outage told by one counts as an ejection here, for as long as it does there and at
        most half a minute; a probe or a trial ends it earlier, as any ejection.
Rule 4: that a server asked to be left alone is the server's own word, and believed. Who says so of
        most endpoints may stand behind a proxy that says it: alone it is believed half a minute.
Rule 5: hearsay is not passed on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.balance.health import Standing

__all__ = ["Heard", "Opinions", "believed", "read_heading", "write_heading"]

OWN_EYES = 5.0
"""Seconds for which one's own answer outweighs what is told."""
MOST_TOLD = 30.0
"""Seconds of the longest ejection by hearsay, and of what is doubted."""
LONGEST_COOLING = 86400.0
OPINION_HOLDS = 10.0
MOST_ENDPOINTS = 20_000
SEPARATOR = "\x1f"


@dataclass(slots=True)
class Heard:
    """What others say now: who has which endpoint out, until when."""

    out: dict[str, dict[str, float]] = field(default_factory=dict)

    def told(self, teller: str, endpoint: str, until: float) -> None:
        """Take one word; an `until` that is past takes it back."""
        self.out.setdefault(endpoint, {})[teller] = until

    def tellers(self, endpoint: str, now: float) -> set[str]:
        """Return who has it out."""
        words = self.out.get(endpoint, {})
        return {teller for teller, until in words.items() if until > now}

    def broken(self, teller: str, now: float, population: int) -> bool:
        """Return whether a process has more than a half of all endpoints out."""
        count = sum(words.get(teller, now) > now for words in self.out.values())
        return 2 * count > population

    def forget(self, now: float) -> None:
        """Let go of what is past."""
        for words in self.out.values():
            for teller in [teller for teller, until in words.items() if until <= now]:
                del words[teller]


def believed(heard: Heard, endpoint: str, own: Standing, *, population: int, now: float) -> bool:
    """Return whether an endpoint is to be left out because of what others say."""
    if not own.failures and now - own.answered_at < OWN_EYES:
        return False
    tellers = heard.tellers(endpoint, now)
    sound = {teller for teller in tellers if not heard.broken(teller, now, population)}
    return bool(sound) or len(tellers) > 1


class Opinions:
    """Whether a probe that others made in vain counts: once two processes failed in a row."""

    def __init__(self) -> None:
        self._failed: dict[str, dict[str, float]] = {}

    def take(
        self, endpoint: str, teller: str, *, well: bool, now: float
    ) -> Literal["good", "bad", "doubt"]:
        """Take a result; `doubt` asks for a second opinion."""
        if well:
            self._failed.pop(endpoint, None)
            return "good"
        if len(self._failed) > MOST_ENDPOINTS:  # names that nobody has come from others
            self._failed.clear()
        recent: Mapping[str, float] = self._failed.get(endpoint, {})
        kept = {who: at for who, at in recent.items() if now - at < OPINION_HOLDS}
        self._failed[endpoint] = {**kept, teller: now}
        return "bad" if len(self._failed[endpoint]) > 1 else "doubt"


def write_heading(*words: str) -> str:
    """Return words as one heading."""
    return SEPARATOR.join(word.replace(SEPARATOR, " ") for word in words)


def read_heading(heading: str, count: int) -> list[str] | None:
    """Return the heading's words, or None if it is not of that many."""
    words = heading.split(SEPARATOR)
    return words if len(words) == count else None
