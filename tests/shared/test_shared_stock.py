"""What is leased and not spent: when units are due, when they are stale, what goes back."""

from __future__ import annotations

import math
import random

import pytest

from router.shared.demand import Demand
from router.shared.stock import Stock, terms


def test_units_are_spent_when_they_are_due_and_not_before() -> None:
    stock = Stock(hold=1.0)
    stock.lease(3, first=0.1, spacing=0.1, now=0.0)
    assert not stock.spend(1, 0.05)
    assert stock.wait(1, 0.05) == pytest.approx(0.05)
    assert stock.spend(1, 0.1)
    assert not stock.spend(2, 0.2)
    assert stock.wait(2, 0.2) == pytest.approx(0.1)
    assert stock.spend(2, 0.3)
    assert stock.wait(1, 0.3) == math.inf


def test_what_was_due_in_the_past_is_due_now() -> None:
    stock = Stock(hold=0.05)
    stock.lease(10, first=-0.5, spacing=0.1, now=7.0)
    assert stock.spend(6, 7.0)
    assert not stock.spend(1, 7.0)
    assert stock.spend(1, 7.1)


def test_a_unit_that_was_held_for_too_long_is_stale_and_goes_back() -> None:
    stock = Stock(hold=0.25)
    stock.lease(5, first=0.0, spacing=0.1, now=0.0)
    assert stock.left(0.5) == 2
    assert not stock.spend(3, 0.5)
    assert stock.give_up(keep=2, now=0.5) == 3


def test_a_lump_is_due_as_a_whole() -> None:
    stock = Stock(hold=1.0)
    stock.lease(50, first=0.2, spacing=0.0, now=0.0)
    assert stock.offer(0.0) == (50, 0.2)
    assert not stock.spend(50, 0.1)
    assert stock.spend(50, 0.2)


def test_what_the_answer_took_is_taken_off_the_time_it_may_be_held() -> None:
    stock = Stock(hold=0.05)
    stock.lease(2, first=0.1, spacing=0.1, now=1.0, age=0.03)
    assert not stock.spend(1, 1.09)  # the server may have reckoned just now
    assert not stock.spend(1, 1.121)  # or when the question left
    assert stock.spend(1, 1.21)
    stock.lease(3, first=0.0, spacing=0.1, now=2.0, age=0.05)
    assert not stock.spend(1, 2.0)
    assert stock.give_up(keep=9, now=2.0) == 4


def test_a_lump_that_was_spent_while_it_was_offered_is_not_had_twice() -> None:
    stock = Stock(hold=1.0)
    stock.lease(50, first=0.2, spacing=0.0, now=0.0)
    assert stock.offer(0.19) == pytest.approx((50, 0.01))
    assert stock.spend(50, 0.2)
    stock.renew(first=0.0, now=0.21, age=0.02)
    assert not stock.spend(1, 0.21)


def test_a_lump_that_was_offered_may_come_earlier_and_never_later() -> None:
    stock = Stock(hold=1.0)
    stock.lease(50, first=0.2, spacing=0.0, now=0.0)
    stock.offer(0.0)
    stock.renew(first=0.5, now=0.01, age=0.01)
    assert stock.wait(50, 0.01) == pytest.approx(0.19)
    stock.offer(0.01)
    stock.renew(first=0.05, now=0.02, age=0.01)
    assert stock.spend(50, 0.07)
    assert not stock.spend(1, 0.2)


def test_the_latest_units_beyond_what_is_needed_go_back() -> None:
    stock = Stock(hold=1.0)
    stock.lease(4, first=0.0, spacing=0.1, now=0.0)
    stock.lease(4, first=0.4, spacing=0.1, now=0.0)
    assert stock.give_up(keep=2.5, now=0.0) == 5
    assert stock.left(0.0) == 3
    assert stock.wait(3, 0.0) == pytest.approx(0.2)


def test_units_of_several_batches_serve_one_request() -> None:
    stock = Stock(hold=1.0)
    for _ in range(3):
        stock.lease(2, first=0.0, spacing=0.0, now=0.0)
    assert stock.spend(5, 0.0)
    assert stock.left(0.0) == 1


@pytest.mark.parametrize("burst", [1, 2, 10, 600])
@pytest.mark.parametrize("interval", [0.0001, 0.01, 3.0])
def test_what_may_be_held_comes_out_of_the_burst(interval: float, burst: int) -> None:
    term = terms(interval, burst, every=0.1)
    assert term.pace <= 0.1
    assert term.pace < term.hold
    assert term.burst + term.hold / interval <= max(burst, 1.5) + 1e-9


def test_the_bound_holds_for_any_traffic() -> None:
    """Spend from a server's GCRA through stocks of three processes, at random."""
    chance = random.Random(11)
    interval, burst = 0.01, 10
    term = terms(interval, burst, every=0.1)
    stocks = [Stock(term.hold) for _ in range(3)]
    tat, now, spent = 0.0, 100.0, []
    for _ in range(20_000):
        now += chance.expovariate(400.0)
        stock = chance.choice(stocks)
        if chance.random() < 0.3:
            tat -= stock.give_up(chance.uniform(0, 4), now) * interval
            due = max(tat, now)
            room = math.floor((now + term.ahead - due) / interval + term.burst)
            units = float(min(chance.randint(0, 5), max(0, room)))
            if units:
                first = due + (1 - term.burst) * interval - now
                stock.lease(units, first, interval, now)
                tat = due + units * interval
        elif stock.spend(1, now):
            spent.append(now)
    assert len(spent) > 3000
    for start in range(0, len(spent), 7):
        for length in (5, 20, 100, 500):
            if start + length < len(spent):
                span = spent[start + length] - spent[start]
                assert length + 1 <= span / interval + burst + 1e-6


def test_demand_is_what_was_spent_of_late() -> None:
    demand = Demand()
    for step in range(300):
        demand.spent(1, step / 100)
    assert demand.rate(3.0) == pytest.approx(100, rel=0.1)
    assert demand.rate(10.0) == 0
