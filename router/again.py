"""Whether a request is sent again, after how long, and whether a second attempt runs beside it.

Rule 1: these decide; none of them waits. What ends the attempts is kept in words (`call.stopped`).
Rule 2: what corrects a request is free: a new token, the right time, a connection in place of one
        that the server had closed. Each of the first two comes once, the last a few times.
Rule 3: all else is paid for from the one budget, and stays within `failover.attempts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.errors import PreconditionError, RouterError
from router.failover.backoff import jittered
from router.failover.budget import Cost
from router.failover.precondition import Refused, has, made_id, told, unmet
from router.failover.verdict import AGAIN_ONCE, Verdict, is_idempotent, may_repeat
from router.limits.permit import Permit
from router.outcome import group_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.balance.choice import Choice
    from router.call import Call
    from router.desk import Desk
    from router.outcome import Outcome

__all__ = ["late_after", "may_hedge", "next_wait", "spare_permit"]

CORRECTABLE = frozenset({Verdict.UNAUTHORISED, Verdict.SKEWED})
UNTOUCHED = frozenset({Verdict.REJECTED, Verdict.NEVER_SENT})
STALE_FREE = 5
NS = 1e9
HERD = 0.1
MOST_SPREAD = 1.0


def next_wait(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the seconds to wait before another attempt, or None to make no other."""
    verdict = outcome.verdict
    if verdict is Verdict.DELIVERED:
        return None
    if verdict is Verdict.COOLING:
        return _after_cooling(call, outcome, desk, now)
    if not call.body.sendable:
        return _stop(call, "its body can be read only once")
    if verdict in CORRECTABLE:
        call.corrected |= {verdict}
        return _same_again(call, outcome)
    if verdict is Verdict.UNREADY:
        return _after_428(call, outcome, desk, now)
    return _repeated(call, outcome, desk, now)


def _repeated(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the wait for a request to be sent as it is, if that is allowed."""
    verdict = outcome.verdict
    if not may_repeat(verdict, method=call.method, keyed=call.keyed, repeat=repeat(call, outcome)):
        return _stop(call, _why_not_repeated(call, verdict))
    if verdict is Verdict.STALE and call.stale < STALE_FREE:
        call.stale += 1
        return _same_again(call, outcome)
    if _counted(call) >= desk.failover.attempts:
        return _stop(call, "these were all that failover.attempts allows")
    return _elsewhere(call, outcome, desk, now)


def _counted(call: Call) -> int:
    """Return how many attempts count among those that one request may make."""
    return len(call.attempts) - call.stale - len(call.corrected)


def _why_not_repeated(call: Call, verdict: Verdict) -> str:
    """Return why a request is not repeated, and how it could be."""
    fate = "the server refused" if verdict is Verdict.REJECTED else "may have been processed"
    way_out = "give it an idempotency key, or set repeat: always"
    if verdict is Verdict.OURS:
        return f"the {call.method} cannot be sent"
    return f"a {call.method} that {fate} is not repeated ({way_out} where that is safe)"


def repeat(call: Call, outcome: Outcome) -> str:
    """Return the user's word for what may be repeated: the request's, the endpoint's, or all's."""
    flight = outcome.flight
    of_endpoint = None if flight is None else flight.choice.endpoint.repeat
    return call.options.repeat or of_endpoint or call.repeat


def _same_again(call: Call, outcome: Outcome, wait: float = 0.0) -> float:
    """Return the wait for the same endpoint: nothing is wrong with it."""
    if outcome.flight is not None:
        call.tried -= {outcome.flight.choice.endpoint.name}
    return wait


def _elsewhere(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the wait for another endpoint, or for any after a backoff."""
    if outcome.flight is not None:
        call.tried |= {outcome.flight.choice.endpoint.name}
    if outcome.answer is not None and outcome.answer.status in AGAIN_ONCE:
        call.once |= {outcome.answer.status}
    wait = 0.0
    if not desk.pool.has_fresh(call.options, tried=call.tried, now=now):
        wait = _backoff(call, desk, now)
        wait = max(wait, desk.pool.soonest(call.options, now=now))
        call.backoffs += 1
    if now + wait >= call.deadline:
        return _stop(call, f"its time is over, or would be after {wait:.3g} s of waiting")
    cost = Cost.EASY if outcome.verdict in UNTOUCHED else Cost.USUAL
    if not desk.budget.withdraw(Cost.OUTAGE if desk.pool.all_fail else cost, now):
        return _stop(call, "the retry budget is used up")
    return wait


def _backoff(call: Call, desk: Desk, now: float) -> float:
    """Return a random wait that leaves time for an attempt, where there is any."""
    left = max(0.0, call.deadline - now)
    return min(jittered(desk.failover.backoff, retries=call.backoffs, chance=desk.chance), left / 2)


def _after_cooling(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """Return the wait until somebody may be asked, and a little more: others wait as well."""
    wait = outcome.later or 0.0
    if now + wait >= call.deadline:
        words = "is at its own limit" if outcome.full else "asked to be left alone"
        return _stop(call, f"every endpoint {words} for {wait:.3g} s")
    spread = desk.chance.uniform(0.0, min(MOST_SPREAD, HERD * wait))
    return min(wait + spread, max(wait, call.deadline - now - spread))


def _after_428(call: Call, outcome: Outcome, desk: Desk, now: float) -> float | None:
    """See what the server may have wanted; return the wait before the one more try.

    Where a check fails, `call.problem` says which.
    """
    call.corrected |= {Verdict.UNREADY}
    settings = desk.failover.precondition
    name = (settings.request_id or "").encode("ascii")
    if name and not has(call.headers, name):
        call.headers.append((name, made_id(desk.chance)))
    call.problem = precondition(call, desk)
    if call.problem is not None:
        return None
    wait = desk.chance.uniform(settings.wait, 2 * settings.wait)
    if now + wait >= call.deadline:
        return _stop(call, f"a 428 is answered after {wait:.3g} s, past the deadline")
    if not desk.budget.withdraw(Cost.EASY, now):
        return _stop(call, "the retry budget is used up")
    return _same_again(call, outcome, wait)


def precondition(call: Call, desk: Desk) -> PreconditionError | None:
    """Return what is wrong with a request that was answered with 428, if it is known."""
    refused = Refused(
        method=call.method,
        path=call.path.decode("latin-1"),
        headers=tuple((n.decode("latin-1"), v.decode("latin-1")) for n, v in call.headers),
        body=b"".join(call.body.stream) if call.body.replayable else None,
    )
    began = call.options.conversation_began
    if began is None and desk.began is not None:
        try:
            said = desk.began(refused)
        except Exception as error:  # noqa: BLE001 - the caller's own code
            words = f"its hook raised {type(error).__name__}"
            return _problem(call, "conversation", words, cause=error)
        try:
            began = told(said)
        except ValueError as error:
            return _problem(call, "conversation", f"its hook {error}")
    now = desk.keeper.clock.time_ns() / NS
    found = unmet(refused, began=began, now=now, max_age=desk.failover.precondition.max_age)
    return None if found is None else _problem(call, *found)


def _problem(
    call: Call, check: str, words: str, *, cause: Exception | None = None
) -> PreconditionError:
    problem = PreconditionError(
        f"the server answered 428, and the request fails the check {check}: {words}",
        check=check,
        attempts=call.attempts,
    )
    problem.__cause__ = cause
    return problem


def _stop(call: Call, why: str) -> float | None:
    """Make no other attempt, and keep why."""
    call.stopped = why
    return None


# -- beside it


def may_hedge(call: Call, desk: Desk) -> bool:
    """Return whether a second attempt may run beside the next one."""
    wanted = call.options.hedge
    if wanted is None:
        wanted = desk.hedges
    if not wanted or not call.body.replayable:
        return False
    if not (call.keyed or is_idempotent(call.method)):
        return False
    return _counted(call) + 2 <= desk.failover.attempts


def late_after(call: Call, desk: Desk, choice: Choice) -> float | None:
    """Return the seconds after which the answer is late, or None where nobody knows yet."""
    return desk.hedging.late_after(group_of(call, choice), choice.predicted)


def spare_permit(call: Call, desk: Desk, now: Callable[[], float]) -> Permit | None:
    """Return a permit for the second attempt, paid for; None: it is not to be made.

    It goes elsewhere, and takes its place only where nobody waits for it.
    """
    present = now()
    elsewhere = desk.pool.has_fresh(call.options, tried=call.tried, now=present)
    if not elsewhere or present >= call.deadline or not desk.hedging.pay(present):
        return None
    permit = _permit_at_once(call, desk, present)
    if permit is None:
        desk.hedging.refund()
    return permit


def _permit_at_once(call: Call, desk: Desk, now: float) -> Permit | None:
    """Return a permit, or None where that would mean to wait."""
    try:
        options = call.options
        permit = desk.limiter.admit(now, cost=options.cost, costs=options.costs, deadline=now)
    except RouterError:
        return None
    if isinstance(permit, Permit):
        return permit
    permit.leave()
    return None
