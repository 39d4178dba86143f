"""The rest of a body that broke off: one more run of the flow, and a look at what it brings.

Rule 1: it is paid for like any attempt: what is left of the attempts and of the budget, a permit, a
        token and a time of its own, a choice that prefers who did not break.
Rule 2: the deadline holds up to the head of an answer: the next head has a deadline of its own.
Rule 3: an answer that is not the rest is closed, and what it held is given back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.again import next_wait
from router.call import KEPT_WITHIN
from router.errors import RouterError
from router.failover.verdict import Verdict
from router.flow import route
from router.outcome import Outcome
from router.streams.head import Head
from router.streams.resume import NoRestError

if TYPE_CHECKING:
    from router.call import Answer, Call
    from router.desk import Desk
    from router.flight import Flight
    from router.lease import Lease
    from router.ports import Port
    from router.streams.resume import Reopening

__all__ = ["the_rest"]


async def the_rest(
    call: Call,
    broken: Flight | None,
    plan: Reopening,
    desk: Desk,
    port: Port,
    *,
    ends: float | None,
) -> tuple[Answer, Lease | None]:
    """Return an answer that holds the rest of the body.

    Args:
        call: the request, as it is to be sent now.
        broken: the attempt whose answer broke off.
        plan: how the body goes on.
        desk: what requests meet.
        port: waits.
        ends: when the whole body has to be there, in monotonic seconds; None: nothing of it was
            delivered, so that the request's first deadline holds still.

    Raises:
        NoRestError: there is none.
    """
    now = port.now()
    call.kept, call.corrected, call.stopped = None, frozenset(), None
    if ends is not None:
        seconds = call.options.deadline or desk.failover.deadline
        call.started, call.deadline = now, min(now + seconds, ends)
    await port.sleep(wait_before(call, broken, plan, desk, now))
    try:
        answer, lease = await route(call, desk, port)
    except RouterError as error:
        raise NoRestError(str(error)) from error
    why_not = plan.why_not(Head.of(answer.status, answer.headers))
    if why_not is None and answer.content is None:
        return answer, lease
    await put_aside(answer, lease, port)
    raise NoRestError(why_not or "what came was no stream")


def wait_before(
    call: Call, broken: Flight | None, plan: Reopening, desk: Desk, now: float
) -> float:
    """Return the seconds to wait before the body is asked for again.

    Raises:
        NoRestError: it is not to be asked for.
    """
    # What the caller agreed to is as safe as what was never sent.
    verdict = Verdict.NEVER_SENT if plan.agreed else Verdict.UNCERTAIN
    wait = next_wait(call, Outcome(verdict, flight=broken), desk, now)
    if wait is None:
        raise NoRestError(call.stopped or "")
    wait = max(wait, plan.wait)
    if now + wait >= call.deadline:
        raise NoRestError(f"the server asked for {wait:.3g} s of rest, past the deadline")
    return wait


async def put_aside(answer: Answer, lease: Lease | None, port: Port) -> None:
    """Close an answer that is not wanted."""
    try:
        if answer.content is None:
            if answer.flight is not None:
                answer.flight.timeouts.rebudget(KEPT_WITHIN)
            await port.keep(answer)
    finally:
        if lease is not None:
            lease.give_back()
