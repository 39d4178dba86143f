"""Whose fault a failure is, when it happens everywhere.

A fault common to all endpoints is none of theirs: a network that is down, a resolver that answers
nothing, a certificate authority that is not trusted here. And a request that fails alike wherever
it goes is at fault itself. Ejecting for it would help nobody and would hide the real fault.

Rule 1: a fault is common once so many endpoints failed alike, with no answer from anybody since,
        that none is left to compare with; four are enough, however many there are.
Rule 2: any answer ends it: the failures that come after it are the endpoints' own again.
Rule 3: while somebody is left who did not fail so, the doubt about the others stays: who is not
        ejected may be asked, but first those are who may answer.
"""

from __future__ import annotations

from collections import Counter, defaultdict

__all__ = ["Domains"]

ENOUGH = 4


class Domains:
    """Counts failures by what they say, until somebody answers."""

    __slots__ = ("blames", "common", "everybody")

    def __init__(self) -> None:
        self.blames: defaultdict[str, Counter[str]] = defaultdict(Counter)
        """How often whom, by the words of the failure; empty once somebody answers."""
        self.common: str | None = None
        """The words of a failure that everybody has, or None."""
        self.everybody = False
        """Whether nobody is left who did not fail so."""

    def answered(self) -> None:
        """Note an answer, of whomever."""
        self.blames.clear()
        self.common = None

    def failed(self, name: str, words: str, *, population: int) -> dict[str, int]:
        """Note a failure; return whom to absolve, and of how many, if it is common.

        Args:
            name: the endpoint's.
            words: what it says; failures are alike if their words are.
            population: how many endpoints could have failed so.
        """
        alike = self.blames[words]
        alike[name] += 1
        if population < 2 or len(alike) < min(population, ENOUGH):  # noqa: PLR2004 - a pair
            return {}
        self.common, self.everybody = words, len(alike) >= population
        absolved = {other: count for other, count in alike.items() if count}
        for other in absolved:
            alike[other] = 0  # each failure is taken back once
        return absolved
