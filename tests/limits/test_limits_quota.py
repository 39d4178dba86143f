"""Quotas: what is given back is as if it had never been taken, and a leased one fits in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import router
from router.limits.limiter import Limiter, Permit, Ticket
from router.limits.quota import Local, Quota

ROUNDING = 1e-6


def local(per_second: float = 1.0, burst: int = 10) -> Local:
    return Local(router.Bound(router.Rate(per_second, 1.0), burst=burst))


def test_what_is_given_back_at_once_is_there_again() -> None:
    quota = local()
    receipt = quota.take(10, 50.0)
    assert receipt is not None
    assert quota.take(1, 50.0) is None
    assert quota.give_back(4, receipt, 50.0) == 4
    assert quota.left(50.0) == pytest.approx(4)
    assert quota.take(5, 50.0) is None
    assert quota.take(4, 50.0) is not None


def test_what_has_drained_meanwhile_does_not_come_back() -> None:
    quota = local()
    receipt = quota.take(10, 50.0)
    assert receipt is not None
    assert quota.take(1, 58.0) is not None
    assert quota.give_back(10, receipt, 58.5) == pytest.approx(1.5)
    assert quota.give_back(10, receipt, 70.0) == 0
    assert quota.left(70.0) == 10


def test_others_refunds_drain_before_one_s_own() -> None:
    quota = local(burst=20)
    first, second = quota.take(10, 0.0), quota.take(10, 0.0)
    assert first is not None
    assert second is not None
    assert quota.give_back(10, first, 5.0) == pytest.approx(5)
    assert quota.take(1, 13.9) is not None
    assert quota.give_back(10, second, 14.0) == pytest.approx(1)
    assert quota.left(14.0) <= 20 - 0.9 + ROUNDING


def test_what_was_taken_and_undone_at_once_costs_others_no_refund() -> None:
    quota = local(burst=20)
    receipt = quota.take(10, 0.0)
    assert receipt is not None
    for _ in range(100):
        vain = quota.take(5, 1.0)
        assert vain is not None
        assert quota.give_back(5, vain, 1.0) == pytest.approx(5)
    assert quota.give_back(10, receipt, 1.0) == pytest.approx(9)


def test_what_was_used_beyond_is_paid_by_whoever_comes_next() -> None:
    quota = local()
    quota.spend(15, 50.0)
    assert quota.left(50.0) == 0
    assert quota.wait(1, 50.0) == pytest.approx(6)


STEP = st.tuples(
    st.sampled_from(["take", "give back"]), st.floats(0, 4), st.integers(1, 10), st.integers(0, 9)
)


@given(per_second=st.floats(0.2, 50), steps=st.lists(STEP, min_size=1, max_size=60))
def test_in_no_window_more_is_used_than_the_rate_and_the_burst_allow(
    per_second: float, steps: list[tuple[str, float, int, int]]
) -> None:
    """Refunds count from when the cost was taken: what remains is what was used."""
    quota, now, burst = local(per_second), 100.0, 10
    taken: list[list[float]] = []  # when, and how much of it is used
    receipts: list[tuple[list[float], float]] = []
    for kind, gap, whole, which in steps:
        now, cost = now + gap, float(whole)
        if kind == "take":
            now += quota.wait(cost, now)
            receipt = quota.take(cost, now)
            assert receipt is not None
            taken.append([now, cost])
            receipts.append((taken[-1], receipt))
        elif receipts:
            entry, receipt = receipts.pop(-1 - which % len(receipts))
            back = quota.give_back(min(cost, entry[1]), receipt, now)
            assert 0 <= back <= min(cost, entry[1]) + ROUNDING
            entry[1] -= min(cost, entry[1])
    for first in range(len(taken)):
        used = 0.0
        for when, cost in taken[first:]:
            used += cost
            assert used <= per_second * (when - taken[first][0]) + burst + ROUNDING * per_second


class Leased:
    """A share of a fleet's rate, as a store might lease it: what it has is a number."""

    most = 100.0

    def __init__(self) -> None:
        self.has = 0.0

    def left(self, now: float) -> float:  # noqa: ARG002
        return self.has

    def wait(self, cost: float, now: float) -> float:  # noqa: ARG002
        return 0.0 if self.has >= cost else 0.5

    def take(self, cost: float, now: float) -> float | None:  # noqa: ARG002
        if self.has < cost:
            return None
        self.has -= cost
        return 0.0

    def give_back(self, cost: float, receipt: float, now: float) -> float:  # noqa: ARG002
        self.has += cost
        return cost

    def spend(self, cost: float, now: float) -> None:  # noqa: ARG002
        self.has -= cost


def test_the_tokens_of_a_limit_may_come_from_a_lease() -> None:
    lease: Leased = Leased()
    typed: Quota = lease
    limiter = Limiter(router.Limits(rate=router.Rate(100, 1.0)), quota=lambda _: typed)
    lease.has = 2.0
    first = limiter.admit(10.0)
    assert isinstance(first, Permit)
    assert isinstance(limiter.admit(10.0), Permit)
    waiting = limiter.admit(10.0)
    assert isinstance(waiting, Ticket)
    assert waiting.poll(10.0) is None
    assert waiting.wait(10.0) == 0.5
    lease.has = 5.0
    limiter.replenished()
    assert waiting.nudge.done(), "nobody waits longer than for the lease"
    assert isinstance(waiting.poll(10.1), Permit)
    first.cancel(10.2)
    assert lease.has == 5.0


def test_a_rate_that_has_nothing_takes_nothing_of_the_others() -> None:
    lease = Leased()
    both = (router.Rate(10, 1.0), router.Bound(router.Rate(100, 1.0), of="tokens", burst=100))
    limiter = Limiter(
        router.Limits(rate=both),
        quota=lambda bound: lease if bound.of == "tokens" else Local(bound),
    )
    refused = limiter.admit(10.0, costs=[("tokens", 50.0)])
    assert isinstance(refused, Ticket)
    refused.leave()
    assert isinstance(limiter.admit(10.0), Permit), "no request was counted"
    assert isinstance(limiter.admit(10.0), Ticket)
