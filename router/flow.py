"""The story of one request, told once, for threads and for tasks.

    route     try, judge, wait if that helps, try again; then answer or say why not
    attempt   permit → endpoint → token → time → send

Rule 1: parts decide and never wait; the port does all waiting, blocking or suspending.
Rule 2: whoever takes gives back: an attempt's Lease holds the permit and the in-flight count, and
        lives as long as the response's body.
Rule 3: an answer that was not good enough is kept, and given to the caller if no better one comes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.attempt import Attempt
from router.balance.pool import Choice, Cooling
from router.call import KEPT_WITHIN, Timeouts
from router.errors import AttemptsFailedError, DeadlineError, RetryLaterError, RouterError
from router.failover.backoff import jittered, retry_after
from router.failover.verdict import (
    SendFailure,
    Verdict,
    blames_endpoint,
    is_idempotent,
    may_repeat,
    verdict_of_failure,
    verdict_of_status,
)
from router.lease import Lease
from router.limits.acquire import acquire

if TYPE_CHECKING:
    from router.auth.token import Token
    from router.call import Answer, Call, Header
    from router.desk import Desk
    from router.limits.permit import Permit
    from router.ports import Port

__all__ = ["route"]

SETTLING_STEP = 0.01
PATIENCE = 1.0
MOST_COOLING = 86400.0


@dataclass(slots=True)
class Outcome:
    """What became of one attempt; `later` is how many seconds the server asked to be left alone."""

    verdict: Verdict
    answer: Answer | None = None
    failure: SendFailure | None = None
    later: float | None = None
    lease: Lease | None = None
    timeouts: Timeouts | None = None


async def route(call: Call, desk: Desk, port: Port) -> tuple[Answer, Lease | None]:
    """Answer `call` from the best endpoint, trying again where that is safe and in time.

    Raises:
        RouterError: no answer came; `attempts` says what was tried.
    """
    desk.pool.check(call.options)
    while True:
        try:
            outcome = await attempt(call, desk, port)
        except RouterError as error:
            error.attempts = tuple(call.attempts)
            if call.kept is not None and not error.maybe_processed:
                return call.kept, None
            raise
        wait = next_wait(call, outcome, desk, port.now())
        if wait is None:
            return conclude(call, outcome)
        await keep(call, outcome, port)
        await port.sleep(wait)


async def attempt(call: Call, desk: Desk, port: Port) -> Outcome:
    """Try one endpoint: permit, place, token, time, send."""
    began = port.now()
    lease = Lease(await admitted(call, desk, port))
    try:
        choice = choose(call, desk, port)
        lease.hold(choice)
        token = await current_token(call, desk, port)
        stamp = await timestamp(call, desk, port)
        timeouts = attempt_timeouts(call, desk, port)
        request = call.addressed_to(choice.endpoint, credentials(token, stamp), timeouts)
        sent = port.now()
        try:
            outcome = judge(call, await port.send(request, lease), lease, token)
            outcome.timeouts = timeouts
            timeouts.head_came()
        except SendFailure as failure:
            outcome = Outcome(verdict_of_failure(failure), failure=failure)
        now = port.now()
        learn(desk, choice, outcome, token, elapsed=now - sent, now=now)
        note(call, choice, outcome, waited=sent - began, elapsed=now - sent, stamp=stamp)
        if outcome.answer is None:
            lease.give_back()
    except Cooling as cooling:
        lease.give_back()
        return Outcome(Verdict.COOLING, later=max(0.0, cooling.until - port.now()))
    except BaseException:
        lease.give_back()
        raise
    return outcome


async def admitted(call: Call, desk: Desk, port: Port) -> Permit:
    """Take a permit of the one limit, in turn."""
    cost = call.options.cost
    return await acquire(desk.limiter, port, deadline=call.deadline, cost=cost)


def choose(call: Call, desk: Desk, port: Port) -> Choice:
    """Take the endpoint for this attempt."""
    return desk.pool.choose(call.options, tried=call.tried, now=port.now())


async def current_token(call: Call, desk: Desk, port: Port) -> Token | None:
    """Return the one shared token, waiting for its first fetch if need be."""
    if desk.tokens is None:
        return None
    token = desk.tokens.current(port.now())
    if token is None:
        fetched = desk.tokens.request(port.now())
        try:
            token = await port.wait(fetched, time_left(call, port))
        except TimeoutError:
            raise DeadlineError("no access token came before the request's deadline") from None
    return token


async def timestamp(call: Call, desk: Desk, port: Port) -> Header | None:
    """Return the time header; right after the start, wait briefly for the first synchronisation."""
    if desk.stamper is None:
        return None
    while (settling := desk.clock.settling(port.now())) > 0:
        await port.sleep(min(settling, SETTLING_STEP, time_left(call, port)))
    stamped = desk.stamper.header(desk.clock.now())
    return None if stamped is None else (stamped[0].encode("ascii"), stamped[1].encode("ascii"))


def credentials(token: Token | None, stamp: Header | None) -> list[Header]:
    """Return the headers that each attempt makes anew."""
    headers = [] if stamp is None else [stamp]
    if token is not None:
        headers.append((b"Authorization", token.header().encode("ascii")))
    return headers


def time_left(call: Call, port: Port) -> float:
    """Return the seconds until the deadline.

    Raises:
        DeadlineError: there are none.
    """
    left = call.deadline - port.now()
    if left <= 0:
        seconds = call.deadline - call.started
        raise DeadlineError(f"the request's deadline of {seconds:g} s has passed")
    return left


def attempt_timeouts(call: Call, desk: Desk, port: Port) -> Timeouts:
    """Return what one attempt may wait: its own time, and no more than the deadline leaves."""
    longest = desk.failover.attempt_timeout
    budget = min(longest, time_left(call, port))
    return Timeouts(call.timeouts, budget=budget, pause=longest, now=port.now)


def judge(call: Call, answer: Answer, lease: Lease, token: Token | None) -> Outcome:
    """Say what an answer means for this request."""
    verdict = verdict_of_status(answer.status)
    if verdict is Verdict.UNAUTHORISED and (token is None or call.token_renewed):
        verdict = Verdict.DELIVERED
    later = retry_after(answer.headers) if verdict is Verdict.REJECTED else None
    return Outcome(verdict, answer=answer, later=later, lease=lease)


def learn(
    desk: Desk, choice: Choice, outcome: Outcome, token: Token | None, *, elapsed: float, now: float
) -> None:
    """Tell the parts that own state what was seen, `elapsed` seconds after sending."""
    status = None if outcome.answer is None else outcome.answer.status
    if is_impatience(outcome.failure, elapsed, desk.failover.attempt_timeout):
        return
    if blames_endpoint(outcome.verdict, status):
        words = f"answered {status}" if outcome.failure is None else outcome.failure.words
        reached = outcome.verdict is not Verdict.NEVER_SENT
        desk.pool.failed(choice, words, reached=reached, now=now)
    elif outcome.verdict is Verdict.DELIVERED:
        desk.pool.answered(choice, elapsed, now=now)
    if outcome.later is not None:
        desk.pool.cool(choice, min(outcome.later, MOST_COOLING), now=now)
    if outcome.verdict is Verdict.UNAUTHORISED and desk.tokens is not None and token is not None:
        desk.tokens.reject(token, now)


def is_impatience(failure: SendFailure | None, elapsed: float, longest: float) -> bool:
    """Return whether the caller's own short time ended the attempt: that is no endpoint's fault."""
    return failure is not None and failure.timed_out and elapsed < min(longest, PATIENCE)


def note(
    call: Call,
    choice: Choice,
    outcome: Outcome,
    *,
    waited: float,
    elapsed: float,
    stamp: Header | None,
) -> None:
    """Add the attempt to the request's trace."""
    call.attempts.append(
        Attempt(
            endpoint=choice.ranked.name,
            verdict=outcome.verdict.value,
            status=None if outcome.answer is None else outcome.answer.status,
            error=None if outcome.failure is None else outcome.failure.words,
            waited=waited,
            elapsed=elapsed,
            maybe_processed=outcome.verdict is Verdict.UNCERTAIN,
            chosen=choice.ranked,
            ranking=choice.ranking,
            stamp=None if stamp is None else stamp[1].decode("ascii"),
        )
    )


def next_wait(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the seconds to wait before another attempt, or None to make no other."""
    verdict = outcome.verdict
    if verdict is Verdict.COOLING:
        wait = outcome.later or 0.0
        return wait if now + wait < call.deadline else None
    if verdict is Verdict.UNAUTHORISED:
        call.token_renewed = True
        return 0.0 if call.body.sendable else None
    if len(call.attempts) >= desk.failover.attempts or not call.body.sendable:
        return None
    if not may_repeat(verdict, method=call.method, keyed=call.keyed, repeat=call.repeat):
        return None
    call.tried.add(call.attempts[-1].endpoint)
    if desk.pool.has_fresh(call.options, tried=call.tried, now=now):
        return 0.0
    backoff = jittered(desk.failover.backoff, retries=call.backoffs, chance=desk.chance)
    wait = max(backoff, desk.pool.soonest(call.options, now=now))
    call.backoffs += 1
    return wait if now + wait < call.deadline else None


async def keep(call: Call, outcome: Outcome, port: Port) -> None:
    """Put an answer aside and give back what its attempt held."""
    if outcome.answer is not None:
        if outcome.timeouts is not None:
            outcome.timeouts.rebudget(KEPT_WITHIN)
        try:
            call.kept = await port.keep(outcome.answer)
        finally:
            if outcome.lease is not None:
                outcome.lease.give_back()


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
