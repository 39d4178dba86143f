"""What an answer means for the limits: what the service says of its own, and what the request cost.

Rule 1: what a limit of ours counts, holds that limit back. What none counts holds only when nothing
        is left, and only at the endpoint that said so: others may have limits of their own.
Rule 2: a word that stops all endpoints is that of one of them. Where there are others, that one is
        left alone as well, so that the next request asks another, whose word counts then.
Rule 3: a hook of the caller's that fails changes neither the answer nor the cost.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from router.failover.verdict import Verdict
from router.limits.told import LONGEST
from router.limits.usage import Used
from router.options import parse_cost

if TYPE_CHECKING:
    from router.desk import Desk
    from router.flight import Flight
    from router.limits.headers import Word
    from router.limits.limiter import Limiter
    from router.outcome import Outcome

__all__ = ["bill", "learn_limits"]

LOG = logging.getLogger("router.limits")


def learn_limits(desk: Desk, flight: Flight, outcome: Outcome, now: float) -> None:
    """Tell the limiter what an answer says, and leave an endpoint alone that has nothing left."""
    refused = outcome.verdict is Verdict.REJECTED
    limiter, words = desk.limiter, outcome.words
    others = bool(words) and desk.pool.several
    limiter.heard(flight.permit, now, words=words, refused=refused, doubted=others)
    if not words:
        return
    used_up = [w.reset for w in words if _stops(w, flight, limiter, others=others, refused=refused)]
    if used_up and max(used_up) > 0:
        desk.pool.cool(flight.choice, min(max(used_up), LONGEST), now=now)
        limiter.hold(desk.pool.all_cool_until(now))


def _stops(word: Word, flight: Flight, limiter: Limiter, *, others: bool, refused: bool) -> bool:
    """Return whether an endpoint has nothing left for a request such as this one."""
    if word.of in limiter.counted:
        return others and word.remaining < limiter.charge(flight.permit, word.of)
    return word.remaining <= 0 and not refused


def bill(desk: Desk, flight: Flight, outcome: Outcome, *, now: float) -> None:
    """Settle what the request cost, if the caller's hook finds that in the answer."""
    answer = outcome.answer
    if desk.used is None or answer is None or answer.content is None:
        return
    try:
        used = desk.used(Used(answer.status, tuple(answer.headers), answer.content))
        cost, costs = (None, ()) if used is None else parse_cost(used, least=-1.0)
    except Exception as error:  # noqa: BLE001 - the caller's own code; the answer is good
        LOG.warning("the hook that tells what requests cost raised %s", type(error).__name__)
        return
    flight.permit.settle(now, cost=cost, costs=costs)
