"""The story of one request, told once, for threads and for tasks.

    route     try, judge, wait if that helps, try again; then answer or say why not
    hedged    try; where the answer is late, try elsewhere meanwhile, and take the first good one
    attempt   permit → token → endpoint → time
    exchange  send → judge, learn, note

Rule 1: parts decide and never wait; the port does all waiting, blocking or suspending.
Rule 2: whoever takes gives back: an attempt's Lease holds the permit and the in-flight count, and
        lives as long as the response's body.
Rule 3: the endpoint is chosen last, when nothing is left to wait for: what this host waits for
        is no endpoint's slowness. Where each may want another token, a choice whose token is still
        to come is given back until it is there.
Rule 4: the time is settled here and taken when the headers leave (`departure`).
Rule 5: an answer that was not good enough is kept, and given to the caller if no better one comes.
Rule 6: an answer that its caller reads at once is read here, so that one that breaks off fails
        over like any other. One that is streamed is the caller's from its head on.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from router.accounting import bill
from router.again import late_after, may_hedge, next_wait, spare_permit
from router.auth.shelf import OWN
from router.balance.pool import Choice, Cooling
from router.call import KEPT_WITHIN, Timeouts
from router.departure import Countdown, Departure
from router.errors import DeadlineError, RouterError, TokenError
from router.failover.verdict import SendFailure, Verdict
from router.flight import Flight
from router.lease import Lease
from router.limits.acquire import acquire
from router.outcome import Outcome, acquit, conclude, judge, learn, note, outran

if TYPE_CHECKING:
    from router.auth.token import Token
    from router.call import Answer, Call
    from router.desk import Desk
    from router.endpoint import Reach
    from router.limits.permit import Permit
    from router.ports import Port
    from router.racing import Runner

__all__ = ["route"]

SETTLING_STEP = 0.01
SETTLED_WITHIN = 1.0


async def route(call: Call, desk: Desk, port: Port) -> tuple[Answer, Lease | None]:
    """Answer `call` from the best endpoint, trying again where that is safe and in time.

    Raises:
        RouterError: no answer came; `attempts` says what was tried.
    """
    desk.pool.check(call.options)
    while True:
        try:
            outcome = await hedged(call, desk, port)
        except RouterError as error:
            error.attempts = tuple(call.attempts)
            acquit(call, desk, port.now())
            if call.kept is not None and not error.maybe_processed:
                return call.kept, None
            raise
        wait = next_wait(call, outcome, desk, port.now())
        if wait is not None:
            await keep(call, outcome, port)
            await port.sleep(min(wait, call.deadline - port.now()))
        elif call.problem is not None:
            await keep(call, outcome, port)
            raise call.problem
        else:
            if outcome.verdict is not Verdict.DELIVERED:
                acquit(call, desk, port.now())
                await read_as_it_is(call, outcome, port)
            return conclude(call, outcome, port.now())


async def hedged(call: Call, desk: Desk, port: Port) -> Outcome:
    """Try one endpoint; if its answer is late, another meanwhile, and take the first good one."""
    if not may_hedge(call, desk):
        return await attempt(call, desk, port)
    spare = partial(spare_permit, call, desk, port.now)
    *others, last = await port.race(partial(attempt, call, desk, port), spare)
    try:
        for outcome in others:
            await keep(call, outcome, port)
    except BaseException:
        await keep(call, last, port)
        raise
    return last


async def attempt(
    call: Call,
    desk: Desk,
    port: Port,
    runner: Runner | None = None,
    permit: Permit | None = None,
) -> Outcome:
    """Try one endpoint: permit, token, place, time, send.

    `runner` is its part in a race against another attempt, `permit` what was taken for it already.
    """
    began = port.now()
    permit = permit or await admitted(call, desk, port)
    lease = Lease(permit)
    try:
        if desk.tokens is not None and not desk.apart:
            await current_token(call, desk, port)
        if desk.signer is not None:
            await settled_signer(call, desk, port)
        if desk.keeper.stamper is not None:
            await settled_clock(call, desk, port)
        choice, token = await placed(call, desk, port)
        lease.hold(choice)
        check_clock(choice, desk)
        if runner is not None:
            call.tried.add(choice.endpoint.name)  # who runs against it goes elsewhere
        flight = take_off(call, desk, port, began=began, holds=(choice, lease, token, runner))
        flight.permit = permit
        outcome = await exchange(call, desk, port, flight)
        if runner is not None:
            runner.through()
        if outcome.answer is None:
            lease.give_back()
    except Cooling as cooling:
        permit.cancel(port.now())
        lease.give_back()
        later = max(0.0, cooling.until - port.now())
        return Outcome(Verdict.COOLING, later=later, full=cooling.full)
    except BaseException:
        lease.give_back()
        raise
    return outcome


async def exchange(call: Call, desk: Desk, port: Port, flight: Flight) -> Outcome:
    """Send, and hear what comes back; learn from it and note it."""
    try:
        answer = await port.send(flight.request)
        flight.head_came(port.now(), port.lost())
        answer.flight = flight
        refused = await time_refused(answer, flight.departure, desk, port)
        outcome = judge(call, desk, answer, flight, time_refused=refused)
        flight.timeouts.head_came()
    except SendFailure as failure:
        flight.head_came(port.now(), port.lost())
        outcome = Outcome(flight.verdict_of(failure), flight=flight, failure=failure)
    except BaseException:
        if flight.outrun:
            give_up(call, desk, port, flight)
        raise
    learn(call, desk, flight, outcome, now=port.now())
    note(call, flight, outcome)
    if call.at_once and outcome.verdict is Verdict.DELIVERED:
        return await read(call, desk, port, outcome)
    return outcome


async def read(call: Call, desk: Desk, port: Port, outcome: Outcome) -> Outcome:
    """Read the body for a caller who wants all of it; one that breaks off is a failure."""
    flight, answer = outcome.flight, outcome.answer
    assert flight is not None
    assert answer is not None
    flight.timeouts.until_body_end = call.deadline
    try:
        outcome.answer = await port.read(answer)
    except SendFailure as failure:
        failure.words = f"its body broke off: {failure.words}"
        flight.broke_off(port.now(), port.lost())
        outcome = Outcome(flight.verdict_of(failure), flight=flight, failure=failure)
        learn(call, desk, flight, outcome, now=port.now())
        note(call, flight, outcome)
    except BaseException:
        if flight.outrun:
            give_up(call, desk, port, flight)
        raise
    bill(desk, flight, outcome, now=port.now())
    flight.lease.give_back()
    return outcome


def give_up(call: Call, desk: Desk, port: Port, flight: Flight) -> None:
    """Learn from and note an attempt that another one has outrun."""
    flight.head_came(port.now(), port.lost())
    outran(call, desk, flight)


async def read_as_it_is(call: Call, outcome: Outcome, port: Port) -> None:
    """Read the body of an answer that is the last although it is not good.

    The deadline holds for it too. One that breaks off leaves the head alone.
    """
    answer, flight = outcome.answer, outcome.flight
    if not call.at_once or answer is None or answer.stream is None or flight is None:
        return
    flight.timeouts.until_body_end = call.deadline
    try:
        outcome.answer = await port.read(answer)
    except SendFailure:
        outcome.answer = answer.without_body()
    finally:
        flight.lease.give_back()


async def admitted(call: Call, desk: Desk, port: Port) -> Permit:
    """Take a permit of the one limit, in turn."""
    options = call.options
    return await acquire(
        desk.limiter,
        port,
        call.deadline,
        options.cost,
        costs=options.costs,
        priority=options.priority,
    )


async def current_token(call: Call, desk: Desk, port: Port, reach: Reach = OWN) -> Token | None:
    """Return the shared token of a reach, waiting for its first fetch if need be."""
    if desk.tokens is None:
        return None
    token = desk.tokens.current(port.now(), reach)
    if token is None:
        fetched = desk.tokens.request(port.now(), reach)
        try:
            token = await port.wait(fetched, time_left(call, port))
        except TimeoutError:
            raise DeadlineError("no access token came before the request's deadline") from None
    return token


async def placed(call: Call, desk: Desk, port: Port) -> tuple[Choice, Token | None]:
    """Take an endpoint, and the token that is good for it; nothing is held while one is fetched.

    Where the token of one audience cannot be had, an endpoint of another may do.

    Raises:
        TokenError: none can be had for any endpoint.
    """
    refused: set[str] = set()
    while True:
        left, now = time_left(call, port), port.now()
        choice = desk.pool.choose(call.options, tried=call.tried, now=now, within=left)
        tokens = desk.tokens
        if tokens is None:
            return choice, None
        endpoint = choice.endpoint
        token = tokens.current(port.now(), endpoint.reach)
        if token is not None:
            return choice, token
        choice.cancel()
        try:
            await current_token(call, desk, port, endpoint.reach)
        except TokenError:
            if endpoint.name in refused:
                raise
            refused.add(endpoint.name)
            call.tried.add(endpoint.name)


async def settled_signer(call: Call, desk: Desk, port: Port) -> None:
    """Wait for a signer that fetches its credentials for the first time."""
    while desk.unready():
        await port.sleep(min(SETTLING_STEP, time_left(call, port)))


async def settled_clock(call: Call, desk: Desk, port: Port) -> None:
    """Wait briefly for a clock that is sure, right after the start."""
    keeper, began = desk.keeper, port.now()
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


def take_off(
    call: Call,
    desk: Desk,
    port: Port,
    *,
    began: float,
    holds: tuple[Choice, Lease, Token | None, Runner | None],
) -> Flight:
    """Make the request of this attempt, with what it may wait and what is made as it leaves."""
    choice, lease, token, runner = holds
    credentials = [] if token is None else [(b"Authorization", token.header().encode("ascii"))]
    timeouts = attempt_timeouts(call, choice, desk, port, runner)
    request = call.addressed_to(choice.endpoint, credentials, timeouts)
    countdown = None
    if desk.failover.deadline_header is not None:
        countdown = Countdown(desk.failover.deadline_header, call.deadline, port.now)
    departure = Departure(request, desk.keeper, desk.signer, countdown)
    call.launched = number = call.launched + 1
    sent, lost = port.now(), port.lost()
    flight = Flight(choice, lease, token, runner, request, departure, number, began, sent, lost)
    if runner is not None:
        runner.gone = partial(give_up, call, desk, port, flight)
    return flight


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


def attempt_timeouts(
    call: Call, choice: Choice, desk: Desk, port: Port, runner: Runner | None
) -> Timeouts:
    """Return what one attempt may wait: its own time, and no more than the deadline leaves."""
    longest = desk.failover.attempt_timeout
    leaves = choice.departed
    if runner is not None:
        leaves = partial(departed, call, desk, choice, runner)
    timeouts = Timeouts(
        call.timeouts,
        budget=min(longest, time_left(call, port)),
        pause=longest,
        now=port.now,
        leaves=leaves,
    )
    if runner is not None:
        runner.timeouts = timeouts
        if runner.outrun:  # while it was on its way here
            timeouts.abandon()
    return timeouts


def departed(call: Call, desk: Desk, choice: Choice, runner: Runner, now: float) -> None:
    """Note that the request is written now, and from when on its answer is late."""
    choice.departed(now)
    if runner.leads:
        runner.left(late_after(call, desk, choice))


async def keep(call: Call, outcome: Outcome, port: Port) -> None:
    """Put an answer aside and give back what its attempt held."""
    flight = outcome.flight
    if outcome.answer is None or flight is None:
        return
    flight.timeouts.rebudget(min(KEPT_WITHIN, max(0.0, call.deadline - port.now())))
    try:
        call.kept = await port.keep(outcome.answer)
    finally:
        flight.lease.give_back()
