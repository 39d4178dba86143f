"""The story of one request, told once, for threads and for tasks.

    route     try, judge, wait if that helps, try again; then answer or say why not
    hedged    try; where the answer is late, try elsewhere meanwhile, and take the first good one
    attempt   permit → token → endpoint → time
    exchange  send → judge, learn, note

Rule 1: parts decide and never wait; the port does all waiting, blocking or suspending.
Rule 2: whoever takes gives back: an attempt's Lease holds the permit and the in-flight count, and
        lives as long as the response's body.
Rule 3: the endpoint is chosen last, when nothing is left to wait for: what this host waits for
        is no endpoint's slowness. A choice whose token is still to come is given back until it is
        there.
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
from router.departure import Departure
from router.errors import DeadlineError, RouterError, TokenError
from router.failover.verdict import SendFailure, Verdict
from router.flight import Flight
from router.lease import Lease
from router.limits.acquire import in_turn
from router.limits.permit import Permit
from router.outcome import Outcome, acquit, conclude, judge, learn, note, outran

if TYPE_CHECKING:
    from router.auth.token import Token
    from router.call import Answer, Call
    from router.desk import Desk
    from router.endpoint import Reach
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
    if call.options.constrained:
        desk.pool.check(call.options)
    while True:
        try:
            may_race = (desk.hedges or call.options.hedge) and may_hedge(call, desk)
            outcome = await (hedged(call, desk, port) if may_race else attempt(call, desk, port))
        except RouterError as error:
            error.attempts = tuple(call.attempts)
            acquit(call, desk, port.now())
            if call.kept is not None and not error.maybe_processed:
                return call.kept, None
            raise
        answer, flight = outcome.answer, outcome.flight
        if outcome.verdict is Verdict.DELIVERED and answer is not None and flight is not None:
            return answer, flight.lease
        wait = next_wait(call, outcome, desk, port.now())
        if wait is not None:
            await keep(call, outcome, port)
            await port.sleep(min(wait, call.deadline - port.now()))
        elif call.problem is not None:
            await keep(call, outcome, port)
            raise call.problem
        else:
            acquit(call, desk, port.now())
            await read_as_it_is(call, outcome, port)
            return conclude(call, outcome, port.now())


async def hedged(call: Call, desk: Desk, port: Port) -> Outcome:
    """Try one endpoint; if its answer is late, another meanwhile, and take the first good one."""
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
    if permit is None:
        asked = call.options
        admitted = desk.limiter.admit(began, asked.cost, asked.costs, asked.priority, call.deadline)
        permit = (
            admitted
            if isinstance(admitted, Permit)
            else await in_turn(admitted, port, call.deadline)
        )
    lease = Lease(permit)
    try:
        if desk.asks_first or not desk.clock.settled:
            await settled(call, desk, port)
        choice, token = place(call, desk, port.now())
        if token is None and desk.tokens is not None:
            choice, token = await placed(call, desk, port, choice)
        lease.holdings.append(choice)
        holds = (choice, lease, permit, token, runner)
        flight = take_off(call, desk, port, began=began, holds=holds)
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
    keeper, departure = desk.keeper, flight.departure
    try:
        answer = await port.send(flight)
        answer.flight = flight
        keeper.heard(departure.endpoint, answer.headers, departure.asked)
        suspect = answer.status in keeper.skew_statuses
        refused = suspect and await time_refused(answer, departure, desk, port)
        outcome = judge(call, desk, answer, flight, time_refused=refused)
        flight.timeouts.until_head = None
    except SendFailure as failure:
        outcome = Outcome(flight.verdict_of(failure), flight=flight, failure=failure)
    except BaseException:
        if flight.outrun:
            outran(call, desk, flight)
        raise
    learn(call, desk, flight, outcome)
    note(call, flight, outcome)
    if call.at_once and outcome.verdict is Verdict.DELIVERED:
        if answer.whole is None:
            outcome = await read(call, desk, port, flight, answer)
        else:
            answer.content, answer.stream = answer.whole(), None
        if desk.used is not None:
            bill(desk, flight, outcome, now=port.now())
        flight.lease.give_back()
    return outcome


async def read(call: Call, desk: Desk, port: Port, flight: Flight, answer: Answer) -> Outcome:
    """Read the body for a caller who wants all of it; one that breaks off is a failure."""
    flight.timeouts.until_body_end = call.deadline
    try:
        answer = await port.read(answer)
        return Outcome(Verdict.DELIVERED, answer, flight)
    except SendFailure as failure:
        failure.words = f"its body broke off: {failure.words}"
        flight.broke_off(port.now(), port.lost())
        outcome = Outcome(flight.verdict_of(failure), flight=flight, failure=failure)
        learn(call, desk, flight, outcome)
        note(call, flight, outcome)
        return outcome
    except BaseException:
        if flight.outrun:
            give_up(call, desk, port, flight)
        raise


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


def place(call: Call, desk: Desk, now: float) -> tuple[Choice, Token | None]:
    """Take an endpoint, and the token that is good for it, if that is there."""
    left = call.deadline - now
    if left <= 0:
        raise out_of_time(call)
    choice = desk.pool.choose(call.options, call.tried, now, left)
    tokens = desk.tokens
    return choice, None if tokens is None else tokens.current(now, choice.endpoint.reach)


async def placed(call: Call, desk: Desk, port: Port, choice: Choice) -> tuple[Choice, Token | None]:
    """Have a token fetched, and choose again when it is there; nothing is held meanwhile.

    Where the token of one audience cannot be had, an endpoint of another may do.

    Raises:
        TokenError: none can be had for any endpoint.
    """
    refused: set[str] = set()
    token: Token | None = None
    while token is None:
        choice.cancel()
        endpoint = choice.endpoint
        try:
            await fetched(call, desk, port, endpoint.reach)
        except TokenError:
            if not desk.apart or endpoint.name in refused:
                raise
            refused.add(endpoint.name)
            call.tried |= {endpoint.name}
        if desk.asks_first or not desk.clock.settled:  # it was long
            await settled(call, desk, port)
        choice, token = place(call, desk, port.now())
    return choice, token


async def fetched(call: Call, desk: Desk, port: Port, reach: Reach = OWN) -> None:
    """Wait for the shared token of a reach."""
    assert desk.tokens is not None
    if desk.tokens.current(port.now(), reach) is None:
        coming = desk.tokens.request(port.now(), reach)
        try:
            await port.wait(coming, time_left(call, port.now()))
        except TimeoutError:
            raise DeadlineError("no access token came before the request's deadline") from None


async def settled(call: Call, desk: Desk, port: Port) -> None:
    """Wait for what is still to come right after the start.

    For the token and a signer's first credentials as long as it takes, for a clock that is sure
    only briefly, since it comes meanwhile.
    """
    if desk.tokens is not None and not desk.apart:
        await fetched(call, desk, port)
    began = port.now()
    while desk.unready():
        await port.sleep(min(SETTLING_STEP, time_left(call, port.now())))
    while (settling := desk.settling(port.now())) > 0 and port.now() - began < SETTLED_WITHIN:
        await port.sleep(min(settling, SETTLING_STEP, time_left(call, port.now())))


def take_off(
    call: Call,
    desk: Desk,
    port: Port,
    *,
    began: float,
    holds: tuple[Choice, Lease, Permit, Token | None, Runner | None],
) -> Flight:
    """Make the request of this attempt, with what it may wait and what is made as it leaves.

    Raises:
        ClockError: the clock is too unsure for a stamp, and `clock.when_unsure` is refuse.
    """
    choice, _, _, token, runner = holds
    sent, longest = port.now(), desk.failover.attempt_timeout
    until, leaves = min(sent + longest, call.deadline), choice.departed
    stamper = desk.keeper.stamper
    if stamper is not None and stamper.refuses:
        stamper.check(desk.keeper.stamp(choice.endpoint.name))
    if runner is not None:
        call.tried |= {choice.endpoint.name}  # who runs against it goes elsewhere
        leaves = partial(departed, call, desk, choice, runner)
    timeouts = Timeouts(call.timeouts, until, longest, port.now, leaves)
    credentials = () if token is None else (token.pair,)
    request = call.addressed_to(choice.endpoint, credentials, timeouts)
    name = desk.countdown
    countdown = None if name is None else (name, call.deadline, port.now)
    departure = Departure(request, desk.keeper, desk.signer, countdown)
    call.launched = number = call.launched + 1
    flight = Flight(*holds, request, timeouts, departure, number, began, sent)
    if runner is not None:
        runner.take_off(timeouts, partial(give_up, call, desk, port, flight))
    return flight


async def time_refused(answer: Answer, departure: Departure, desk: Desk, port: Port) -> bool:
    """Return whether an answer says that the request's time was wrong.

    Such an answer is a sample of the very clock that judged: the next stamp goes by it.
    """
    keeper = desk.keeper
    if not keeper.is_skew_error(answer.status, await port.peek(answer)):
        return False
    keeper.refused(departure.endpoint, answer.headers, asked=departure.asked)
    return True


def time_left(call: Call, now: float) -> float:
    """Return the seconds until the deadline.

    Raises:
        DeadlineError: there are none.
    """
    left = call.deadline - now
    if left <= 0:
        raise out_of_time(call)
    return left


def out_of_time(call: Call) -> DeadlineError:
    """Return the error of a request whose deadline is past."""
    seconds = call.deadline - call.started
    return DeadlineError(f"the request's deadline of {seconds:g} s has passed")


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
