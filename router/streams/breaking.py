"""A body that broke off: in words, against whom it counts, and what its reader is told.

Rule 1: it counts against the endpoint unless the wire gave up sooner than is usual, which is the
        caller's own short time, or this host was at fault.
Rule 2: what the pool hears has no figures: failures are alike where their words are, and streams
        that all break at once say that the network did it (`balance.domains`).
Rule 3: an answer that began was processed, perhaps in part: its attempt says so afterwards.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from router.errors import DeadlineError, StreamBrokenError
from router.failover.verdict import Phase, Verdict

if TYPE_CHECKING:
    from router.balance.choice import Choice
    from router.call import Call
    from router.errors import RouterError
    from router.failover.verdict import SendFailure
    from router.streams.stall import Patience

__all__ = ["NEARLY", "amend", "blame", "error", "in_words"]

NEARLY = 0.98
"""Of a time that ran out: a timer may be early by what a clock does not show."""


def in_words(failure: SendFailure, waited: float, patience: Patience) -> str:
    """Return what broke a body, after `waited` seconds without data."""
    if not failure.timed_out:
        return failure.words
    words = f"no data for {waited:.1f} s"
    if patience.usual is None or waited < patience.limit * NEARLY:
        return words
    return f"{words}, where gaps of {patience.usual:.2g} s are usual"


def blame(
    call: Call, choice: Choice, failure: SendFailure, words: str, *, too_soon: bool, now: float
) -> None:
    """Count a body that broke off against its endpoint, where that is its doing.

    Args:
        call: the request.
        choice: whose answer it was; still held.
        failure: what the wire said.
        words: the same for people.
        too_soon: the wait was shorter than one has to be patient.
        now: monotonic seconds.
    """
    if failure.phase is Phase.LOCAL or (failure.timed_out and too_soon):
        return
    said = f"its body {'stalled' if failure.timed_out else f'broke off: {words}'}"
    choice.pool.failed(choice, said, reached=True, now=now)
    call.blamed += ((choice, said),)


def amend(call: Call, choice: Choice | None, words: str) -> None:
    """Say in the trace what became of the attempt whose answer broke off."""
    attempts = call.attempts
    for number in range(len(attempts) - 1, -1, -1):
        attempt = attempts[number]
        if attempt.status is not None and (
            choice is None or attempt.endpoint == choice.endpoint.name
        ):
            attempts[number] = replace(
                attempt, verdict=Verdict.UNCERTAIN.value, error=words, maybe_processed=True
            )
            return


def error(
    call: Call, choice: Choice | None, words: str, *, delivered: int, late: bool
) -> RouterError:
    """Return what the reader is told; `late`: the stream's own deadline has passed."""
    endpoint = "the endpoint" if choice is None else choice.endpoint.name
    where = f"{delivered} bytes of the body from {endpoint} were delivered"
    made: RouterError
    if late:
        made = DeadlineError(f"the stream's deadline passed when {where}", attempts=call.attempts)
    else:
        made = StreamBrokenError(f"the body broke off: {words}; {where}", attempts=call.attempts)
    made.delivered = delivered
    return made
