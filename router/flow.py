"""The story of one request, told once, for threads and for tasks.

    route     try, judge, wait if that helps, try again; then answer or say why not
    attempt   permit → token → endpoint → time → send → judge, learn, note

Rule 1: parts decide and never wait; the port does all waiting, blocking or suspending.
Rule 2: whoever takes gives back: an attempt's Lease holds the permit and the in-flight count, and
        lives as long as the response's body.
Rule 3: the endpoint is chosen last, when nothing is left to wait for: what this host waits for
        is no endpoint's slowness.
Rule 4: the time is settled here and taken when the headers leave (`departure`).
Rule 5: an answer that was not good enough is kept, and given to the caller if no better one comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.balance.pool import Choice, Cooling
from router.call import KEPT_WITHIN, Timeouts
from router.departure import Departure
from router.errors import DeadlineError, RouterError
from router.failover.backoff import jittered
from router.failover.verdict import SendFailure, Verdict, may_repeat, verdict_of_failure
from router.lease import Lease
from router.limits.acquire import acquire
from router.outcome import Outcome, acquit, conclude, judge, learn, note

if TYPE_CHECKING:
    from router.auth.token import Token
    from router.call import Answer, Call, Header
    from router.desk import Desk
    from router.limits.permit import Permit
    from router.ports import Port

__all__ = ["route"]

SETTLING_STEP = 0.01
SETTLED_WITHIN = 1.0
CORRECTABLE = frozenset({Verdict.UNAUTHORISED, Verdict.SKEWED})


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
            acquit(call, desk, port.now())
            if call.kept is not None and not error.maybe_processed:
                return call.kept, None
            raise
        wait = next_wait(call, outcome, desk, port.now())
        if wait is None:
            if outcome.verdict is not Verdict.DELIVERED:
                acquit(call, desk, port.now())
            return conclude(call, outcome)
        await keep(call, outcome, port)
        await port.sleep(wait)


async def attempt(call: Call, desk: Desk, port: Port) -> Outcome:
    """Try one endpoint: permit, token, place, time, send."""
    began = port.now()
    lease = Lease(await admitted(call, desk, port))
    try:
        token = await current_token(call, desk, port)
        await settled_clock(call, desk, port)
        choice = choose(call, desk, port)
        lease.hold(choice)
        check_clock(choice, desk)
        timeouts = attempt_timeouts(call, choice, desk, port)
        request = call.addressed_to(choice.endpoint, credentials(token), timeouts)
        departure = Departure(request, desk.keeper, desk.signer)
        sent = port.now()
        try:
            answer = await port.send(request, lease)
            refused = await time_refused(answer, departure, desk, port)
            outcome = judge(call, answer, lease, token, time_refused=refused)
            outcome.timeouts = timeouts
            timeouts.head_came()
        except SendFailure as failure:
            outcome = Outcome(verdict_of_failure(failure), failure=failure)
        now = port.now()
        outcome.served = now - (timeouts.left or sent)
        learn(call, desk, choice, outcome, token, elapsed=now - sent, now=now)
        note(call, choice, outcome, departure, waited=sent - began, elapsed=now - sent)
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
    within = time_left(call, port)
    return desk.pool.choose(call.options, tried=call.tried, now=port.now(), within=within)


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


async def settled_clock(call: Call, desk: Desk, port: Port) -> None:
    """Wait briefly for a clock that is sure, right after the start."""
    keeper, began = desk.keeper, port.now()
    if keeper.stamper is None:
        return
    while (settling := keeper.settling(port.now())) > 0 and port.now() - began < SETTLED_WITHIN:
        await port.sleep(min(settling, SETTLING_STEP, time_left(call, port)))


def check_clock(choice: Choice, desk: Desk) -> None:
    """See if the clock will do for a stamp.

    Raises:
        ClockError: the clock is too unsure, and `clock.when_unsure` is refuse.
    """
    stamper = desk.keeper.stamper
    if stamper is not None and stamper.refuses:
        stamper.check(desk.keeper.stamp(choice.endpoint.name))


def credentials(token: Token | None) -> list[Header]:
    """Return the header that carries the token."""
    return [] if token is None else [(b"Authorization", token.header().encode("ascii"))]


async def time_refused(answer: Answer, departure: Departure, desk: Desk, port: Port) -> bool:
    """Learn the time from an answer; return whether it says that the request's was wrong.

    Such an answer is a sample of the very clock that judged: the next stamp goes by it.
    """
    keeper, name = desk.keeper, departure.endpoint
    keeper.heard(name, answer.headers, asked=departure.asked)
    if not keeper.may_be_skew_error(answer.status):
        return False
    text = await port.peek(answer)
    if not keeper.is_skew_error(answer.status, text):
        return False
    keeper.refused(name, answer.headers, asked=departure.asked)
    return True


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


def attempt_timeouts(call: Call, choice: Choice, desk: Desk, port: Port) -> Timeouts:
    """Return what one attempt may wait: its own time, and no more than the deadline leaves."""
    longest = desk.failover.attempt_timeout
    budget = min(longest, time_left(call, port))
    return Timeouts(
        call.timeouts, budget=budget, pause=longest, now=port.now, leaves=choice.departed
    )


def next_wait(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the seconds to wait before another attempt, or None to make no other."""
    verdict = outcome.verdict
    if verdict is Verdict.COOLING:
        wait = outcome.later or 0.0
        return wait if now + wait < call.deadline else None
    if verdict in CORRECTABLE:
        call.corrected.add(verdict)
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
