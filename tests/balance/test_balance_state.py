"""One endpoint: its price and what it is made of, its place, and whether it may be asked."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Literal

import pytest
from balance_samples import FAILOVER, START, choose, endpoint, expected, pool_of, state

from router.balance.belief import FAILURE, UNLIKELY, risk
from router.balance.health import Availability
from router.testing import FakeClock

if TYPE_CHECKING:
    from router.balance.choice import Choice
    from router.balance.pool import EndpointPool
    from router.balance.state import State


def pool_and_state(rtt: float = 0.1, **keys: float) -> tuple[EndpointPool, State]:
    """Return a pool of one endpoint, and its state."""
    pool = pool_of(endpoint("a", **keys))
    pool.place("a", expected(rtt))
    return pool, pool._roster.states["a"]


def send(made: State, pool: EndpointPool, *, now: float = START) -> Choice:
    choice = choose(pool, now=now)
    assert choice.state is made
    return choice


def answer(pool: EndpointPool, *elapsed: float, now: float = START) -> None:
    for seconds in elapsed:
        choice = choose(pool, now=now)
        pool.answered(choice, seconds, now=now)
        choice.give_back()


# -- whether


@pytest.mark.parametrize(
    ("cause", "cooling", "now", "availability", "changes"),
    [
        (None, 0, START, "healthy", math.inf),
        ("failing", 0, START, "ejected", START + 9),
        ("failing", 0, START + 9, "on trial", START + 9),
        (None, START + 5, START + 4.9, "cooling", START + 5),
        (None, START + 5, START + 5, "healthy", math.inf),
        ("failing", START + 5, START, "cooling", START + 5),
    ],
)
def test_availability_follows_from_the_facts_and_so_does_when_it_changes(
    cause: Literal["failing"] | None,
    cooling: float,
    now: float,
    availability: str,
    changes: float,
) -> None:
    made = state()
    made.health.cause, made.health.ejected_until = cause, START + 9
    made.cooling_until = cooling
    assert made.availability(now) is Availability(availability)
    assert made.changes_at(now) == changes
    made.drained = True
    assert made.availability(now) is Availability.DRAINED
    assert made.changes_at(now) == math.inf


def test_while_a_trial_is_under_way_time_changes_nothing() -> None:
    made = state()
    made.health.cause, made.health.trial = "failing", True
    assert made.availability(START + 99).value == "ejected"
    assert made.changes_at(START + 99) == math.inf


def test_a_longer_cooling_is_not_shortened() -> None:
    made = state()
    made.cool(START + 60)
    made.cool(START + 5)
    assert made.cooling_until == START + 60


# -- what it costs


def test_before_any_request_it_is_round_trip_and_service_over_weight() -> None:
    made = state(weight=2.0)
    assert (made.price, made.cost) == (0.05, 0.05)
    for _ in range(3):
        made.probed(connect=0.1, warm=0.14, now=START)
    made.reprice(START, 0.0)
    assert made.price == pytest.approx(0.07)


def test_an_unmeasured_endpoint_is_thought_to_serve_as_the_others_do() -> None:
    made = state()
    made.reprice(START, 0.2)
    assert made.price == pytest.approx(0.3)


def test_what_is_under_way_makes_the_next_dearer_once_there_would_be_a_queue() -> None:
    pool, made = pool_and_state()
    prices = [made.price]
    held = []
    for _ in range(15):
        held.append(send(made, pool))
        prices.append(made.price)
    assert prices[:8] == [pytest.approx(0.1)] * 8
    assert prices[8:] == [pytest.approx(0.1 * n / 8) for n in range(9, 17)]
    assert [choice.in_flight for choice in held] == list(range(1, 16))
    assert held[-1].predicted == pytest.approx(made.setup + 0.1 * 15 / 8)
    for choice in held:
        choice.give_back()
    assert made.price == pytest.approx(0.1)


def test_traffic_says_what_service_costs() -> None:
    pool, made = pool_and_state()
    answer(pool, *[0.35] * 10)
    assert made.price == pytest.approx(0.35)
    assert made.asked


def test_the_risk_is_part_of_the_price() -> None:
    pool, made = pool_and_state()
    pool.failed(send(made, pool), "reset", reached=True, now=START)
    odds = made.odds(START)
    assert made.price == pytest.approx(0.1 + risk(odds, 0.1))
    assert made.ranked(START).risk == pytest.approx(risk(odds, 0.1))
    assert made.ranked(START).surplus == pytest.approx(0.0, abs=1e-9)


def test_a_price_is_never_nothing() -> None:
    pool, made = pool_and_state()
    answer(pool, 0.3, *[1e-9] * 200)
    assert made.price > 0


# -- doubt


def test_silence_makes_it_suspect_then_doubtful_before_anything_returns() -> None:
    pool, made = pool_and_state()
    answer(pool, *[0.1] * 20)
    for _ in range(5):
        send(made, pool).departed(START)
    told = []
    for late in range(200):
        now = START + late / 1000
        made.reprice(now, 0.0)
        told.append((made.suspect(now), made.doubtful))
    assert told[100] == (False, False), "nothing is late yet"
    assert told[199] == (True, True)
    assert told.index((True, False)) < told.index((True, True))


def test_a_request_that_may_wait_for_a_connection_is_late_only_after_that() -> None:
    pool, made = pool_and_state()
    answer(pool, *[0.1] * 20)
    choice = send(made, pool)
    assert made.setup > 0.1
    assert made.odds(START + 0.1 + made.setup) == -7.0
    choice.departed(START + 0.2)
    assert made.odds(START + 0.3) == -7.0
    assert made.odds(START + 0.4) > -7.0


def test_who_is_ejected_is_no_suspect_and_if_asked_all_the_same_is_taken_to_be_broken() -> None:
    pool, made = pool_and_state()
    for _ in range(5):
        pool.failed(send(made, pool), "reset", reached=True, now=START)
    assert not made.suspect(START)
    made.reprice(START + 3600, 0.0)
    assert not made.doubtful, "it is on trial: what it did before does not count"
    made.health.trial = True
    made.reprice(START + 3600, 0.0)
    assert made.doubtful


def test_after_a_trial_it_is_asked_slowly_at_first() -> None:
    pool, made = pool_and_state()
    answer(pool, *[0.1] * 30)
    for _ in range(5):
        pool.failed(choose(pool), "reset", reached=True, now=START)
    trial = choose(pool, now=START + 7)
    assert trial.trial
    pool.answered(trial, 0.1, now=START + 7)
    trial.give_back()
    assert made.availability(START + 7) is Availability.READY
    assert (made.limit, made.odds(START + 7)) == (1.0, -1.0)
    answer(pool, 0.1, 0.1, now=START + 7.1)
    assert 1 < made.limit <= 3


@pytest.mark.parametrize(("in_flight", "crowded"), [(0, False), (15, False), (16, True)])
def test_a_crowd_is_twice_what_it_holds_without_a_queue(in_flight: int, *, crowded: bool) -> None:
    made = state()
    made.in_flight = in_flight
    assert made.crowded is crowded


# -- the way there


@pytest.mark.parametrize(
    ("cost", "weight", "lapsed"),
    [(0.16, 1.0, True), (0.14, 1.0, False), (0.08, 2.0, True), (0.07, 2.0, False)],
)
def test_who_would_be_the_better_one_if_it_were_as_it_was_has_lapsed(
    cost: float, weight: float, *, lapsed: bool
) -> None:
    made = state(weight=weight)
    for rtt in (0.1,) * 8 + (0.4,) * 3:
        made.probed(connect=rtt, warm=rtt, now=START)
    made.reprice(START, 0.05)
    assert made.lapsed(START, cost) is lapsed


def test_after_an_outage_the_estimate_begins_anew() -> None:
    made = state()
    for _ in range(8):
        made.probed(connect=0.2, warm=0.2, now=START)
    made.health.eject("unreachable", now=START, failover=FAILOVER, chance=random.Random(1))
    made.probed(connect=0.02, warm=0.02, now=START)
    assert made.availability(START).value == "healthy"
    assert made.way.estimate.samples == 1
    assert made.way.estimate.rtt < 0.1


@pytest.mark.parametrize(
    ("before", "after", "alone"), [(0.1, 0.2, 0.25), (0.2, 0.1, 0.15), (0.1, 0.1, 0.15)]
)
def test_a_way_that_became_longer_moves_what_traffic_told_of_it(
    before: float, after: float, alone: float
) -> None:
    pool, made = pool_and_state()
    for _ in range(8):
        pool.probed("a", connect=before, warm=before, now=START)
    answer(pool, *[0.05 + before] * 5)
    later = START + 10
    for _ in range(8):
        pool.probed("a", connect=after, warm=after, now=later)
    assert made.load is not None
    assert made.load.alone == pytest.approx(alone, rel=0.1)


def test_no_answer_is_expected_sooner_than_the_fastest_round_trip() -> None:
    made = state()
    assert made.least_rtt == 0.0, "a guess proves nothing"
    for _ in range(8):
        made.probed(connect=0.1, warm=0.1, now=START)
    assert 0.09 < made.least_rtt < 0.1


# -- after a fork


def test_a_child_process_has_parts_of_its_own_and_none_of_the_attempts() -> None:
    pool, made = pool_and_state()
    pool.probed("a", connect=0.1, warm=0.1, now=START)
    answer(pool, 0.1, 0.1)
    pool.failed(send(made, pool), "reset", reached=True, now=START)
    pool.reset_after_fork()
    own = pool._roster.states["a"]
    assert own is not made
    assert (own.in_flight, made.in_flight) == (0, 1)
    for part in ("load", "belief", "way", "health"):
        assert getattr(own, part) is not getattr(made, part)
    assert own.odds(START) == made.odds(START)
    assert own.load is not None
    assert not own.load.ahead


# -- what is given up, and what says nothing of speed


def test_a_request_that_is_given_up_while_it_was_late_leaves_a_doubt() -> None:
    for waited, doubted in ((0.03, False), (5.0, True)):
        clock = FakeClock(START)
        pool = pool_of("a", clock=clock)
        made = pool._roster.states["a"]
        choice = choose(pool)
        clock.advance(waited)
        choice.give_back()
        assert (made.odds(clock()) > UNLIKELY) is doubted
        assert made.odds(clock()) <= UNLIKELY + FAILURE
        assert made.health.failures == 0


def test_silence_is_seen_at_one_that_never_answered() -> None:
    pool = pool_of("a", endpoint("b", tier=2))
    for _ in range(3):
        choose(pool)
    assert choose(pool, now=START + 2).endpoint.name == "b"


def test_a_process_that_computed_all_the_time_sees_no_silence() -> None:
    clock = FakeClock(START)
    pool = pool_of("a", endpoint("b", tier=2), clock=clock, busy=lambda: clock() - START)
    held = [choose(pool) for _ in range(3)]
    clock.advance(2)
    assert choose(pool, now=clock()).endpoint.name == "a"
    held[0].give_back()
    assert pool._roster.states["a"].odds(clock()) == UNLIKELY


def test_an_answer_that_refuses_teaches_health_and_no_speed() -> None:
    pool, made = pool_and_state()
    for _ in range(5):
        choice = choose(pool)
        pool.answered(choice, 0.001, now=START, typical=False)
        choice.give_back()
    assert (made.answers, made.asked, made.health.success_at) == (5, False, START)
    assert made.alone == pytest.approx(0.1)


def test_what_says_neither_is_no_silence_any_more() -> None:
    pool, made = pool_and_state()
    choice = choose(pool)
    assert made.odds(START + 5) > 0
    pool.heard(choice)
    assert made.odds(START + 5) == UNLIKELY
    assert (made.answers, made.errors) == (0, 0)
