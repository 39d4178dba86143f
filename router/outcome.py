"""What became of an attempt: judged, learnt from, noted; and what the caller gets in the end.

Rule 1: these decide and remember; none of them waits.
Rule 2: an endpoint is blamed only for what is its own doing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING

from router.accounting import learn_limits
from router.attempt import Attempt
from router.errors import (
    AttemptsFailedError,
    DeadlineError,
    LimitError,
    RetryLaterError,
    RouterError,
)
from router.failover.backoff import jittered
from router.failover.later import retry_after
from router.failover.verdict import (
    SendFailure,
    Verdict,
    blames_endpoint,
    is_idempotent,
    verdict_of_status,
)
from router.limits.headers import said

if TYPE_CHECKING:
    from router.balance.pool import Choice
    from router.call import Answer, Call
    from router.desk import Desk
    from router.flight import Flight
    from router.lease import Lease
    from router.limits.headers import Word

__all__ = ["Outcome", "acquit", "conclude", "group_of", "judge", "learn", "note", "outran"]

PATIENCE = 1.0
AS_USUAL = 2.0
REFUSED = 400
MOST_COOLING = 86400.0
FAILED_ALIKE = 2
MOSTLY, HARDLY = 0.5, 0.1  # shares of an attempt's time that was not the endpoint's
TOO_MANY = 429
BY_NUMBER = attrgetter("number")
MAYBE_PROCESSED = frozenset({Verdict.UNCERTAIN, Verdict.STALE})
NS = 1e9


@dataclass(slots=True)
class Outcome:
    """What became of one attempt.

    Attributes:
        flight: the attempt; None: nothing was sent.
        later: seconds for which the server, or every server, asked to be left alone.
        full: whether nobody asked for that, but every endpoint is at its own limit.
        words: what the server says of its own limits.
    """

    verdict: Verdict
    answer: Answer | None = None
    flight: Flight | None = None
    failure: SendFailure | None = None
    later: float | None = None
    full: bool = False
    words: tuple[Word, ...] = ()


def judge(call: Call, desk: Desk, answer: Answer, flight: Flight, *, time_refused: bool) -> Outcome:
    """Say what an answer means for this request."""
    verdict = verdict_of_status(answer.status, desk.verdicts)
    if time_refused:
        verdict = Verdict.SKEWED
    hopeless = verdict is Verdict.UNAUTHORISED and flight.token is None
    if hopeless or verdict in call.corrected or answer.status in call.once:
        verdict = Verdict.DELIVERED
    later: float | None = None
    words: tuple[Word, ...] = ()
    if desk.limiter.limits.learn:
        words = said(answer.headers, lambda: desk.keeper.clock.time_ns() / NS)
    if verdict is Verdict.REJECTED:
        later = retry_after(answer.headers, lambda: desk.keeper.clock.time_ns() / NS)
        if later is None and answer.status == TOO_MANY:
            later = max((word.reset for word in words if word.remaining <= 0), default=None)
    return Outcome(verdict, answer=answer, flight=flight, later=later or None, words=words)


def learn(call: Call, desk: Desk, flight: Flight, outcome: Outcome) -> None:
    """Tell the parts that own state what was seen when the attempt ended."""
    if outcome.verdict is Verdict.OUTRUN:
        learn_lateness(call, desk, flight, outcome)
        return
    choice, answer, now = flight.choice, outcome.answer, flight.ended
    if answer is not None:
        flight.permit.heard = True
        if outcome.words or desk.limiter.adapts:
            learn_limits(desk, flight, outcome, now)
    failure = outcome.failure
    if failure is not None and not tells_of_endpoint(desk, flight, failure):
        return
    status, verdict = None if answer is None else answer.status, outcome.verdict
    if verdict is Verdict.DELIVERED and status is not None:
        served = flight.served
        typical = status < REFUSED and (not flight.held_up or flight.unseen < HARDLY)
        desk.pool.answered(choice, served, now=now, typical=typical)
        desk.budget.deposit()
        if flight.runner is not None:
            desk.hedging.learn((choice.endpoint.tier, call.method), served, choice.predicted)
        return
    if blames_endpoint(verdict, status):
        words = f"answered {status}" if failure is None else failure.words
        reached = verdict is not Verdict.NEVER_SENT
        desk.pool.failed(choice, words, reached=reached, now=now)
        call.blamed += ((choice, words),)
    else:
        desk.pool.heard(choice)
    if verdict is Verdict.REJECTED:
        leave_alone(desk, choice, outcome, status, now)
    if verdict is Verdict.UNAUTHORISED and desk.tokens is not None and flight.token:
        desk.tokens.reject(flight.token, now)


def tells_of_endpoint(desk: Desk, flight: Flight, failure: SendFailure) -> bool:
    """Return whether a failure can be held against its endpoint."""
    choice = flight.choice
    if failure.ours or flight.unseen > MOSTLY:
        desk.pool.heard(choice)
        return False
    longest = min(desk.failover.attempt_timeout, max(PATIENCE, AS_USUAL * choice.predicted))
    return (
        not failure.timed_out or flight.elapsed >= longest
    )  # else the caller's own time was short


def group_of(call: Call, choice: Choice) -> tuple[int, str]:
    """Return with which other requests this one is compared to tell if its answer is late."""
    return choice.endpoint.tier, call.method


def learn_lateness(call: Call, desk: Desk, flight: Flight, outcome: Outcome) -> None:
    """Learn when answers are late, from requests that may be hedged; outrun is later than all."""
    runner = flight.runner
    if runner is None:
        return
    group = group_of(call, flight.choice)
    expected = flight.choice.predicted
    if outcome.verdict is not Verdict.OUTRUN:
        desk.hedging.learn(group, flight.served, expected)
    elif runner.leads:
        desk.hedging.learn(group, math.inf, expected)


def outran(call: Call, desk: Desk, flight: Flight) -> None:
    """Learn from and note an attempt that another one at the same request has outrun."""
    outcome = Outcome(Verdict.OUTRUN)
    if flight.noted is None:  # else its head was in time for that
        learn_lateness(call, desk, flight, outcome)
    note(call, flight, outcome)


def leave_alone(
    desk: Desk, choice: Choice, outcome: Outcome, status: int | None, now: float
) -> None:
    """Leave an endpoint alone as long as it asked; one that is asked for too much, a little.

    If all want to be left alone, nobody takes a permit before the first of them may be asked.
    """
    if outcome.later is not None:
        desk.pool.cool(choice, min(outcome.later, MOST_COOLING), now=now)
    elif status == TOO_MANY:
        times = desk.pool.refused(choice)
        pause = jittered(desk.failover.backoff, retries=times, chance=desk.chance, least=0.5)
        desk.pool.cool(choice, pause, now=now)
    else:
        return
    desk.limiter.hold(desk.pool.all_cool_until(now))


def acquit(call: Call, desk: Desk, now: float) -> None:
    """Take the blame back from endpoints where one request failed alike wherever it went."""
    blamed = call.blamed
    alike = len({words for _, words in blamed}) == 1
    if alike and len({choice.endpoint.name for choice, _ in blamed}) >= FAILED_ALIKE:
        for choice, _ in blamed:
            desk.pool.absolve(choice, now=now)


def note(call: Call, flight: Flight, outcome: Outcome) -> None:
    """Add the attempt to the request's trace, or what became of it after it was added."""
    failure = outcome.failure
    error = None if failure is None else failure.words
    if outcome.verdict is Verdict.OUTRUN:
        error = "given up, another attempt was quicker"
    choice, departure, runner = flight.choice, flight.departure, flight.runner
    made = Attempt(  # by place: names cost a quarter of it
        choice.endpoint.name,
        outcome.verdict.word,
        None if outcome.answer is None else outcome.answer.status,
        error,
        flight.sent - flight.began,
        flight.lasted,
        outcome.verdict in MAYBE_PROCESSED,
        choice.decided(),
        departure.header,
        departure.stamp,
        runner is not None and not runner.leads,
        flight.number,
    )
    if flight.noted is not None:
        call.attempts = [made if a is flight.noted else a for a in call.attempts]
    else:
        call.attempts.append(made)
        if flight.number < call.launched:  # one that was sent later has ended already
            call.attempts.sort(key=BY_NUMBER)
    flight.noted = made


def conclude(call: Call, outcome: Outcome, now: float) -> tuple[Answer, Lease | None]:
    """Return the answer there is, or raise what fits best."""
    answer, flight = outcome.answer, outcome.flight
    if answer is not None:
        return answer, None if flight is None else flight.lease
    if call.kept is not None and not any(a.maybe_processed for a in call.attempts):
        return call.kept, None
    if outcome.full and not call.attempts:
        raise LimitError(
            f"every endpoint is at its own limit for {outcome.later:.3g} s more at least, "
            "which is past the request's deadline",
            retry_after=outcome.later,
        )
    if outcome.verdict is Verdict.COOLING and not call.attempts:
        raise RetryLaterError(
            f"every endpoint asked to be left alone for {outcome.later:.1f} s more, "
            "which is past the deadline",
            retry_after=outcome.later,
        )
    cause = None if outcome.failure is None else outcome.failure.cause
    raise failed(call, outcome, now) from cause


def failed(call: Call, outcome: Outcome, now: float) -> RouterError:
    """Return what says that no attempt brought an answer, and whether repeating is safe."""
    count = len(call.attempts)
    story = "; ".join(str(attempt) for attempt in call.attempts)
    message = f"no answer in {count} attempt{'s' * (count > 1)}: {story}"
    kind: type[RouterError] = AttemptsFailedError
    if now >= call.deadline:
        kind = DeadlineError
        message = (
            f"the request's deadline of {call.deadline - call.started:g} s has passed: {story}"
        )
    elif call.stopped is not None:
        message += f"; no other was made: {call.stopped}"
    safe = is_idempotent(call.method) or call.keyed
    if any(attempt.maybe_processed for attempt in call.attempts) and not safe:
        message += f". The {call.method} may have been processed: check before sending it again"
    return kind(message, attempts=call.attempts, retry_after=outcome.later)
