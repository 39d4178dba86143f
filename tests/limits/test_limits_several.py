"""Several rates at once, by requests and by other costs; what is reserved is settled."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import pytest

import router
from router.errors import LimitError, OptionsError
from router.limits.limiter import Limiter, Permit, Ticket

TOKENS = {"of": "tokens", "rate": "60/minute", "burst": 30, "cost": 5}
BOTH = [{"rate": "10/s", "burst": 5}, TOKENS]


def make(**limits: Any) -> Limiter:
    return Limiter(router.Limits(**limits))


def granted(admitted: Permit | Ticket | None) -> Permit:
    assert isinstance(admitted, Permit)
    return admitted


def queued(admitted: Permit | Ticket) -> Ticket:
    assert isinstance(admitted, Ticket)
    return admitted


def test_all_rates_hold_and_the_wait_is_that_of_the_slowest() -> None:
    limiter = make(rate=[{"rate": "10/s", "burst": 5}, {"rate": "7/minute", "burst": 7}])
    for _ in range(5):
        granted(limiter.admit(0.0))
    fast = queued(limiter.admit(0.0))
    assert fast.wait(0.0) == pytest.approx(0.1)
    granted(fast.poll(0.11))
    granted(limiter.admit(0.3))
    slow = queued(limiter.admit(1.0))
    assert slow.wait(1.0) == pytest.approx(60 / 7 - 1.0)
    granted(slow.poll(60 / 7 + 0.001))


def test_a_cost_counts_at_the_rate_that_counts_it() -> None:
    limiter = make(rate=BOTH)
    granted(limiter.admit(0.0, costs=[("tokens", 28.0)]))
    granted(limiter.admit(0.0, costs=[("tokens", 0.0)]))
    granted(limiter.admit(0.0, costs=[("tokens", 2.0), ("pages", 1000.0)]))
    assert queued(limiter.admit(0.0, costs=[("tokens", 3.0)])).wait(0.0) == pytest.approx(3.0)


def test_who_says_nothing_costs_what_is_configured() -> None:
    limiter = make(rate=[TOKENS])
    for _ in range(6):
        granted(limiter.admit(0.0))
    assert queued(limiter.admit(0.0)).wait(0.0) == pytest.approx(5.0)


@pytest.mark.parametrize("cost", [31.0, -1.0, math.nan, math.inf])
def test_a_cost_above_its_burst_is_the_caller_s_error(cost: float) -> None:
    with pytest.raises(OptionsError, match="tokens"):
        make(rate=BOTH).admit(0.0, costs=[("tokens", cost)])


def test_what_was_not_used_is_there_for_others() -> None:
    limiter = make(rate=BOTH)
    permit = granted(limiter.admit(0.0, costs=[("tokens", 30.0)]))
    head = queued(limiter.admit(0.0, costs=[("tokens", 20.0)]))
    assert head.wait(0.0) == pytest.approx(20.0)
    permit.give_back()
    permit.settle(1.0, costs=[("tokens", 10.0)])
    assert head.nudge.done(), "its wait is shorter now"
    granted(head.poll(1.0))


def test_nobody_gives_back_more_than_was_reserved() -> None:
    limiter = make(rate=BOTH)
    permit = granted(limiter.admit(0.0, costs=[("tokens", 10.0)]))
    other = granted(limiter.admit(0.0, costs=[("tokens", 20.0)]))
    for _ in range(5):
        permit.settle(0.0, costs=[("tokens", 0.0)])
        permit.cancel(0.0)
    assert limiter.lefts(0.0)[1][1] == pytest.approx(10.0)
    other.cancel(0.0)
    assert [left for _, left in limiter.lefts(0.0)] == pytest.approx([5.0, 30.0])


def test_a_cost_may_be_settled_upwards_at_any_time_and_downwards_once() -> None:
    limiter = make(rate=BOTH)
    permit = granted(limiter.admit(0.0, costs=[("tokens", 10.0)]))
    permit.settle(0.0, costs=[("tokens", 25.0)])
    assert limiter.lefts(0.0)[1][1] == pytest.approx(5.0)
    permit.settle(0.0, costs=[("tokens", 20.0)])
    assert limiter.lefts(0.0)[1][1] == pytest.approx(10.0)
    permit.settle(0.0, costs=[("tokens", 0.0)])
    assert limiter.lefts(0.0)[1][1] == pytest.approx(10.0)
    permit.settle(0.0, costs=[("tokens", 35.0)])
    assert limiter.peek(0.0, costs=[("tokens", 1.0)]).wait == pytest.approx(6.0)


def test_a_copy_of_a_permit_settles_nothing() -> None:
    limiter = make(rate=BOTH, concurrency=1)
    permit = granted(limiter.admit(0.0))
    for other in (copy.deepcopy(permit), pickle.loads(pickle.dumps(permit))):
        other.settle(0.0, cost=0.0)
        other.give_back()
    assert limiter.in_use == 1
    assert limiter.lefts(0.0)[0][1] == pytest.approx(4.0)


def test_peek_tells_what_a_request_would_meet_and_takes_nothing() -> None:
    limiter = make(rate="10/s", burst=2, concurrency=3)
    for _ in range(3):
        assert limiter.peek(0.0).at_once
    granted(limiter.admit(0.0))
    granted(limiter.admit(0.0))
    assert limiter.peek(0.0).wait == pytest.approx(0.1)
    queued(limiter.admit(0.0))
    behind = limiter.peek(0.0)
    assert behind.wait == pytest.approx(0.2)
    assert (behind.ahead, behind.full) == (1, False)
    assert limiter.peek(0.0, priority=1).wait == pytest.approx(0.1)
    assert limiter.waiting == 1


def test_a_full_window_is_told_since_no_rate_knows_when_it_ends() -> None:
    limiter = make(concurrency=1)
    granted(limiter.admit(0.0))
    outlook = limiter.peek(0.0)
    assert (outlook.wait, outlook.full, outlook.at_once) == (0.0, True, False)


def test_the_wait_of_a_refusal_counts_every_rate() -> None:
    limiter = make(rate=BOTH, queue=1)
    granted(limiter.admit(0.0, costs=[("tokens", 30.0)]))
    queued(limiter.admit(0.0, costs=[("tokens", 10.0)]))
    with pytest.raises(LimitError) as caught:
        limiter.admit(0.0, costs=[("tokens", 5.0)])
    assert caught.value.retry_after == pytest.approx(15.0)


@pytest.mark.parametrize(
    "cost", [0, -1, True, "many", {"tokens": -1}, {"tokens": math.nan}, {1: 1}, {"requests": 0}]
)
def test_a_cost_that_is_none_is_refused_by_its_options(cost: Any) -> None:
    with pytest.raises(OptionsError, match="cost"):
        router.Options(cost=cost)


def test_options_take_a_number_or_costs_by_name() -> None:
    assert (router.Options(cost=2.0).cost, router.Options(cost=2.0).costs) == (2.0, ())
    named = router.Options(cost={"tokens": 1200, "requests": 3})
    assert (named.cost, named.costs) == (3, (("tokens", 1200.0),))
    assert router.Options(cost={"tokens": 1}).cost == 1.0
    assert hash(named) == hash(router.Options(cost={"requests": 3, "tokens": 1200}))
