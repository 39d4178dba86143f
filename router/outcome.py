"""What became of an attempt: judged, learnt from, noted; and what the caller gets in the end.

Rule 1: these decide and remember; none of them waits.
Rule 2: an endpoint is blamed only for what is its own doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.attempt import Attempt
from router.errors import AttemptsFailedError, RetryLaterError
from router.failover.backoff import retry_after
from router.failover.verdict import (
    SendFailure,
    Verdict,
    blames_endpoint,
    is_idempotent,
    verdict_of_status,
)

if TYPE_CHECKING:
    from router.auth.token import Token
    from router.balance.pool import Choice
    from router.call import Answer, Call, Timeouts
    from router.departure import Departure
    from router.desk import Desk
    from router.lease import Lease

__all__ = ["Outcome", "acquit", "conclude", "judge", "learn", "note"]

PATIENCE = 1.0
AS_USUAL = 2.0
REFUSED = 400
MOST_COOLING = 86400.0
FAILED_ALIKE = 2


@dataclass(slots=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        later: seconds for which the server asked to be left alone.
        served: seconds from the first write, over a connection that stands, to the answer's head.
    """

    verdict: Verdict
    answer: Answer | None = None
    failure: SendFailure | None = None
    later: float | None = None
    served: float = 0.0
    lease: Lease | None = None
    timeouts: Timeouts | None = None


def judge(
    call: Call, answer: Answer, lease: Lease, token: Token | None, *, time_refused: bool
) -> Outcome:
    """Say what an answer means for this request."""
    verdict = verdict_of_status(answer.status)
    if time_refused:
        verdict = Verdict.SKEWED
    hopeless = verdict is Verdict.UNAUTHORISED and token is None
    if hopeless or verdict in call.corrected:
        verdict = Verdict.DELIVERED
    later = retry_after(answer.headers) if verdict is Verdict.REJECTED else None
    return Outcome(verdict, answer=answer, later=later, lease=lease)


def learn(
    call: Call,
    desk: Desk,
    choice: Choice,
    outcome: Outcome,
    token: Token | None,
    *,
    elapsed: float,
    now: float,
) -> None:
    """Tell the parts that own state what was seen, `elapsed` seconds after sending."""
    status = None if outcome.answer is None else outcome.answer.status
    longest = min(desk.failover.attempt_timeout, max(PATIENCE, AS_USUAL * choice.predicted))
    if is_impatience(outcome.failure, elapsed, longest):
        return
    if blames_endpoint(outcome.verdict, status):
        words = f"answered {status}" if outcome.failure is None else outcome.failure.words
        reached = outcome.verdict is not Verdict.NEVER_SENT
        desk.pool.failed(choice, words, reached=reached, now=now)
        call.blamed.append((choice, words))
    elif outcome.verdict is Verdict.DELIVERED:
        typical = status is not None and status < REFUSED
        desk.pool.answered(choice, outcome.served, now=now, typical=typical)
    else:
        desk.pool.heard(choice)
    if outcome.later is not None:
        desk.pool.cool(choice, min(outcome.later, MOST_COOLING), now=now)
    if outcome.verdict is Verdict.UNAUTHORISED and desk.tokens is not None and token is not None:
        desk.tokens.reject(token, now)


def acquit(call: Call, desk: Desk, now: float) -> None:
    """Take the blame back from endpoints where one request failed alike wherever it went."""
    blamed = call.blamed
    alike = len({words for _, words in blamed}) == 1
    if alike and len({choice.endpoint.name for choice, _ in blamed}) >= FAILED_ALIKE:
        for choice, _ in blamed:
            desk.pool.absolve(choice, now=now)


def is_impatience(failure: SendFailure | None, elapsed: float, longest: float) -> bool:
    """Return whether the caller's own short time ended the attempt: that is no endpoint's fault."""
    return failure is not None and failure.timed_out and elapsed < longest


def note(
    call: Call,
    choice: Choice,
    outcome: Outcome,
    departure: Departure,
    *,
    waited: float,
    elapsed: float,
) -> None:
    """Add the attempt to the request's trace."""
    call.attempts.append(
        Attempt(
            endpoint=choice.endpoint.name,
            verdict=outcome.verdict.value,
            status=None if outcome.answer is None else outcome.answer.status,
            error=None if outcome.failure is None else outcome.failure.words,
            waited=waited,
            elapsed=elapsed,
            maybe_processed=outcome.verdict is Verdict.UNCERTAIN,
            decision=choice.decision(),
            header=departure.header,
            clock=departure.stamp,
        )
    )


def conclude(call: Call, outcome: Outcome) -> tuple[Answer, Lease | None]:
    """Return the answer there is, or raise what fits best."""
    if outcome.answer is not None:
        return outcome.answer, outcome.lease
    if call.kept is not None and not any(a.maybe_processed for a in call.attempts):
        return call.kept, None
    if outcome.verdict is Verdict.COOLING and not call.attempts:
        raise RetryLaterError(
            f"every endpoint asked to be left alone for {outcome.later:.1f} s more, "
            "which is past the deadline",
            attempts=call.attempts,
            retry_after=outcome.later,
        )
    raise failed(call) from (None if outcome.failure is None else outcome.failure.cause)


def failed(call: Call) -> AttemptsFailedError:
    """Return what says that no attempt brought an answer, and whether repeating is safe."""
    count = len(call.attempts)
    story = "; ".join(str(attempt) for attempt in call.attempts)
    message = f"no answer in {count} attempt{'s' * (count > 1)}: {story}"
    safe = is_idempotent(call.method) or call.keyed
    if any(attempt.maybe_processed for attempt in call.attempts) and not safe:
        message += f". The {call.method} may have been processed: check before sending it again"
    return AttemptsFailedError(message, attempts=call.attempts)
