from __future__ import annotations

import random

import pytest
from balance_samples import START, endpoint, expected

from router.balance.state import Availability, State
from router.config.settings import Failover

FAILOVER = Failover()


def state(rtt: float = 0.1, *, floor: float = 0.0) -> State:
    return State(endpoint("a"), expected(rtt, floor=floor))


def fail(made: State, times: int = 1, *, now: float = START, seed: int = 1, **keys: bool) -> None:
    told = {"reached": True, "trial": False} | keys
    chance = random.Random(seed)
    for _ in range(times):
        made.failed("answered 503", now=now, failover=FAILOVER, chance=chance, **told)


def fail_probe(made: State, times: int = 1, *, now: float = START) -> None:
    for _ in range(times):
        made.probe_failed("refused", now=now, failover=FAILOVER, chance=random.Random(1))


@pytest.mark.parametrize(
    ("facts", "now", "availability"),
    [
        ({}, START, "healthy"),
        ({"cause": "failing", "ejected_until": START + 5}, START, "ejected"),
        ({"cause": "failing", "ejected_until": START + 5}, START + 5, "on trial"),
        ({"cause": "failing", "ejected_until": START + 5, "trial": True}, START + 9, "ejected"),
        ({"cooling_until": START + 5}, START + 4.9, "cooling"),
        ({"cooling_until": START + 5}, START + 5, "healthy"),
        ({"cooling_until": START + 5, "cause": "failing"}, START, "cooling"),
        ({"drained": True}, START, "drained"),
        ({"drained": True, "cooling_until": START + 5, "cause": "failing"}, START, "drained"),
    ],
)
def test_availability_follows_from_the_facts(
    facts: dict[str, object], now: float, availability: str
) -> None:
    made = state()
    for name, value in facts.items():
        setattr(made, name, value)
    assert made.availability(now) is Availability(availability)


def test_five_failures_in_a_row_eject_and_a_success_between_them_forgives() -> None:
    made = state()
    fail(made, 4)
    made.succeeded(0.1, now=START)
    fail(made, 4)
    assert made.availability(START) is Availability.READY
    fail(made)
    assert made.availability(START) is Availability.EJECTED
    assert (made.cause, made.failures, made.ejections) == ("failing", 5, 1)
    assert (made.errors, made.answers) == (9, 1)


@pytest.mark.parametrize("reached", [True, False])
def test_the_cause_tells_whether_it_was_there(*, reached: bool) -> None:
    made = state()
    fail(made, 5, reached=reached)
    assert made.cause == ("failing" if reached else "unreachable")


def test_ejections_double_up_to_the_cap_and_are_jittered_by_a_fifth() -> None:
    made, now, lengths = state(), START, []
    fail(made, 5, now=now)
    for seed in range(9):
        lengths.append(made.ejected_until - now)
        now = made.ejected_until
        fail(made, now=now, seed=seed, trial=True)
    for length, middle in zip(lengths, [5, 10, 20, 40, 80, 160, 300, 300, 300], strict=True):
        assert 0.8 * middle <= length <= 1.2 * middle
    assert len({length / middle for length, middle in zip(lengths, [5] * 9, strict=True)}) == 9


def test_a_thousand_ejections_overflow_nothing() -> None:
    made = state()
    fail(made, 5)
    for _ in range(1100):
        fail(made, now=made.ejected_until, trial=True)
    assert made.ejections == 1101


def test_only_a_trial_prolongs_an_ejection() -> None:
    made = state()
    fail(made, 5)
    until = made.ejected_until
    fail(made, 20, now=START + 1)
    fail(made, 20, now=until + 1)  # sent before the ejection, and late
    assert (made.ejections, made.ejected_until) == (1, until)
    fail(made, now=until + 1, trial=True)
    assert made.ejections == 2
    assert made.ejected_until > until + 1


def test_a_trial_that_ends_after_the_return_counts_as_any_failure() -> None:
    made = state()
    fail(made, 5, reached=False)
    made.probed(connect=0.1, warm=0.1)
    fail(made, now=made.ejected_until + 1, trial=True)
    assert made.cause is None


def test_a_success_forgets_all_trouble() -> None:
    made = state()
    fail(made, 5)
    made.succeeded(0.1, now=START + 9)
    assert made.availability(START + 9) is Availability.READY
    assert (made.failures, made.ejections, made.ejected_until, made.trouble) == (0, 0, 0.0, None)


def test_a_probe_brings_back_what_was_unreachable_and_not_what_fails() -> None:
    gone, sick = state(), state()
    fail(gone, 5, reached=False)
    fail(sick, 5, reached=True)
    for made in (gone, sick):
        made.probed(connect=0.1, warm=0.1)
    assert gone.availability(START) is Availability.READY
    assert sick.availability(START) is Availability.EJECTED
    assert sick.trouble == "answered 503"


@pytest.mark.parametrize(
    ("silence", "failures", "ejected"), [(30.0, 2, False), (30.0, 3, True), (29.9, 9, False)]
)
def test_three_failed_probes_eject_only_where_traffic_is_silent(
    silence: float, failures: int, *, ejected: bool
) -> None:
    made = state()
    made.succeeded(0.1, now=START - silence)
    fail_probe(made, failures)
    assert (made.cause == "unreachable") is ejected
    assert made.trouble == ("refused" if silence >= 30 else None)


def test_failed_probes_do_not_prolong_an_ejection() -> None:
    made = state()
    fail_probe(made, 3)
    until = made.ejected_until
    fail_probe(made, 10, now=START + 4)
    assert (made.ejections, made.ejected_until) == (1, until)


def test_the_trouble_of_a_probe_ends_with_the_next_good_one() -> None:
    made = state()
    fail_probe(made, 2)
    made.probed(connect=0.1, warm=0.1)
    assert (made.trouble, made.probe_failures) == (None, 0)


def test_the_trouble_of_traffic_outlasts_a_good_probe() -> None:
    made = state()
    fail(made, 2)
    made.probed(connect=0.1, warm=0.1)
    assert (made.trouble, made.failures) == ("answered 503", 2)


def test_a_longer_cooling_is_not_shortened() -> None:
    made = state()
    made.cool(START + 60)
    made.cool(START + 5)
    assert made.cooling_until == START + 60


# -- cost


def test_cost_is_round_trip_and_service_over_weight() -> None:
    made = State(endpoint("a", weight=2), expected(0.1))
    assert made.cost(0.0, START) == pytest.approx(0.05)
    for _ in range(3):
        made.probed(connect=0.1, warm=0.14)
    assert made.cost(0.0, START) == pytest.approx(0.07)


def test_traffic_says_what_service_costs_and_is_believed_less_as_it_ages() -> None:
    made = state(0.1)
    for elapsed in (0.3, 0.35, 0.4):
        made.succeeded(elapsed, now=START)
    assert made.cost(0.0, START) == pytest.approx(0.35)
    assert made.cost(0.0, START + 10) == pytest.approx(0.1 + 0.25 / 2.71828, rel=1e-4)
    assert made.cost(0.05, START + 1000) == pytest.approx(0.15)  # then as the others fare
    assert made.extra_service(START - 1)[1] == 1.0  # a clock read earlier gives no more weight


def test_an_unmeasured_endpoint_is_thought_to_serve_as_the_others_do() -> None:
    assert state(0.1).cost(0.2, START) == pytest.approx(0.3)


def test_cost_is_never_negative() -> None:
    assert state(0.001).cost(-5.0, START) == pytest.approx(0.001)


# -- the place


def test_a_round_trip_faster_than_light_proves_the_place_wrong() -> None:
    made = state(0.200, floor=0.110)
    made.probed(connect=0.020, warm=0.020)
    assert made.misplaced
    assert made.estimate.rtt == pytest.approx(0.020)  # the prior would have said 36 ms
    assert made.estimate.source == "blended"
    made.probed(connect=0.140, warm=0.140)
    assert made.misplaced, "once proved it stays proved"


@pytest.mark.parametrize(
    ("connect", "warm", "wrong"),
    [
        (0.110, 0.110, False),
        (0.109, 0.115, True),
        (0.109, 0.900, False),  # an edge near by; what lies behind it may be where it is said to be
        (0.010, 0.109, True),  # … unless even that answers too soon
    ],
)
def test_behind_an_edge_the_warm_request_is_what_counts(
    connect: float, warm: float, *, wrong: bool
) -> None:
    made = state(0.200, floor=0.110)
    made.probed(connect=connect, warm=warm)
    assert made.misplaced is wrong


def test_the_same_place_again_is_not_believed_and_another_one_is() -> None:
    made = state(0.200, floor=0.110)
    made.probed(connect=0.020, warm=0.020)
    made.place(expected(0.200, floor=0.110))
    distrusted = made.misplaced
    assert distrusted
    assert made.estimate.rtt == pytest.approx(0.020)
    made.place(expected(0.030, floor=0.010))
    assert made.misplaced is False
    assert made.estimate.rtt == pytest.approx(0.0223, rel=0.01)


@pytest.mark.parametrize(("reached", "out"), [(False, "ejected"), (True, "on trial")])
def test_a_failed_probe_prolongs_an_ejection_unless_the_server_answered_it(
    reached: bool,  # noqa: FBT001 - a table
    out: str,
) -> None:
    made = state()
    fail(made, FAILOVER.eject_after, reached=False)
    assert made.availability(START + 10).value == "on trial"
    chance = random.Random(1)
    made.probe_failed("no", reached=reached, now=START + 10, failover=FAILOVER, chance=chance)
    assert made.availability(START + 10.1).value == out


def test_after_an_outage_the_estimate_begins_anew() -> None:
    made = state()
    for _ in range(8):
        made.probed(connect=0.2, warm=0.2)
    fail(made, FAILOVER.eject_after, reached=False)
    made.probed(connect=0.02, warm=0.02)
    assert made.availability(START).value == "healthy"
    assert made.estimate.samples == 1
    assert made.estimate.rtt < 0.1
