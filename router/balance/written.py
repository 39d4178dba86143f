"""A Decision as lines of text, for `explain()`.

Rule: a figure stands where it is known, a dash where it is not; what says nothing new (no queue, no
      risk) is left out of the words and stays in the data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.ranking import off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from router.balance.decision import Candidate, Decision
    from router.balance.ranking import Ranked

__all__ = ["parts_in_words", "written"]

LEAST_TOLD = 5e-4
MOST_LINES = 10
LESS = {"more of late": "less of late"}


def written(decision: Decision, tried: Mapping[str, str]) -> list[str]:
    """Return a line for each candidate, aligned, and one for all that constraints exclude.

    Args:
        decision: what was decided by.
        tried: what became of the request at endpoints that it was at before, by name.
    """
    shown = decision.candidates[:MOST_LINES]
    width = max((len(c.name) for c in shown), default=0)
    lines = [f"{c.name:<{width}}  {_expected(c)}  {_rest(c, tried)}" for c in shown]
    outside = decision.outside
    if outside:
        excluded = ", ".join(f"{name} ({words})" for name, words in outside.items())
        lines.append(f"not allowed: {excluded}")
    return lines


def _expected(candidate: Candidate) -> str:
    price = candidate.price
    return f"{'-':>7}" if price is None else f"{price * 1e3:>4.0f} ms"


def _rest(candidate: Candidate, tried: Mapping[str, str]) -> str:
    row = candidate.row
    clock = "" if row.skew is None else f"its clock is {off(row.skew)}"
    flying = f"{row.in_flight} in flight"
    words = [parts_in_words(candidate), flying, _place(row), clock, row.health]
    if candidate.excluded is not None:
        words[-1] = tried.get(candidate.name) or candidate.excluded
    return "; ".join(word for word in words if word)


def parts_in_words(candidate: Candidate) -> str:
    """Return what the expectation is made of."""
    row, service = candidate.row, candidate.row.alone - candidate.row.estimate.rtt
    way = f"{row.rtt_ms:.1f} ± {row.spread_ms:.1f} ms there and back"
    if row.source == "prior" and row.asked:  # the way is a guess, but not the whole
        way, service = f"{row.alone * 1e3:.1f} ms by its answers, no probe yet", 0.0
    elif row.source == "prior":
        way = f"about {row.rtt_ms:.0f} ms there and back, not measured"
    parts = [way]
    for seconds, what in (
        (service, "service"),
        (candidate.queue, "queue"),
        (row.surplus, "more of late"),
        (row.risk, "risk of a failure"),
    ):
        if abs(seconds) >= LEAST_TOLD:
            parts.append(f"{seconds * 1e3:+.0f} {what if seconds > 0 else LESS.get(what, what)}")
    if row.endpoint.weight != 1:
        parts.append(f"over weight {row.endpoint.weight:g}")
    return " ".join(parts)


def _place(row: Ranked) -> str:
    if row.misplaced:
        return "faster than light allows for its place: it is elsewhere, or anycast"
    if row.distance_km is None:
        return row.prior.why
    return f"{row.prior.why}: {row.prior_ms:.0f} ms by geography"
