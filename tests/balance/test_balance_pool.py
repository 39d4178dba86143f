from __future__ import annotations

import random

import pytest
from balance_samples import (
    FAILOVER,
    START,
    choose,
    chosen,
    eject,
    endpoint,
    expected,
    fail,
    health,
    measure,
    names,
    pool_of,
    succeed,
)

from router.balance.pool import Cooling, EndpointPool
from router.errors import ConfigError, DeadlineError, NoEndpointError
from router.options import NO_OPTIONS, Options
from router.testing import FakeClock

LATER = START + 7.0  # past a first ejection of 5 s, at most 6 with its jitter


def test_the_best_endpoint_is_chosen_and_says_why() -> None:
    choice = choose(pool_of("a", "b"))
    assert choice.endpoint.name == "a"
    assert choice.decision().chosen.row.reason == "about 10 ms expected: 6 200 km away"
    assert [candidate.name for candidate in choice.decision().candidates] == ["a", "b"]
    assert (choice.again, choice.trial, choice.in_flight) == (False, False, 1)


# -- the order in which endpoints are taken


@pytest.mark.parametrize(
    ("ejected", "tried", "name", "again"),
    [
        ("", "", "a", False),
        ("", "a", "b", False),
        ("", "abc", "a", True),
        ("a", "", "b", False),
        ("a", "b", "c", False),
        ("a", "bc", "b", True),  # one that works again before one that does not
        ("ab", "c", "a", False),  # panic: two of three are out, and that is not believed
        ("ab", "", "c", False),  # … but whoever works is asked first
        ("abc", "", "a", False),
        ("abc", "a", "b", False),  # all down: still somewhere, first where it was not
        ("abc", "abc", "a", True),
    ],
)
def test_fresh_before_tried_and_working_before_ejected(
    ejected: str, tried: str, name: str, *, again: bool
) -> None:
    pool = pool_of("a", "b", "c")
    eject(pool, ejected)
    choice = choose(pool, *tried)
    assert (choice.endpoint.name, choice.again) == (name, again)


def test_a_drained_endpoint_is_never_taken() -> None:
    pool = pool_of("a", "b")
    pool.set_drained("a", drained=True)
    assert chosen(pool, "b") == "b"
    pool.set_drained("b", drained=True)
    with pytest.raises(NoEndpointError, match=r"^every endpoint .* is drained: undrain one$"):
        choose(pool)
    pool.set_drained("a", drained=False)
    assert chosen(pool, "a") == "a"


def test_draining_what_is_not_there_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="no endpoint is named nowhere"):
        pool_of("a").set_drained("nowhere", drained=True)


def test_a_cooling_endpoint_is_left_alone_until_its_time() -> None:
    pool = pool_of("a", "b")
    pool.cool(choose(pool), 30, now=START)
    assert chosen(pool) == "b"
    assert chosen(pool, "b") == "b"
    pool.cool(choose(pool), 20, now=START)
    with pytest.raises(Cooling) as cooling:
        choose(pool)
    assert cooling.value.until == START + 20
    assert pool.soonest(NO_OPTIONS, now=START) == 20
    assert chosen(pool, now=START + 20) == "b"
    assert pool.soonest(NO_OPTIONS, now=START + 20) == 0


def test_where_one_cools_and_the_other_is_ejected_the_ejected_one_is_asked() -> None:
    pool = pool_of("a", "b")
    eject(pool, "b")
    pool.cool(choose(pool), 30, now=START)
    assert chosen(pool) == "b"


def test_where_one_is_drained_and_the_other_cools_there_is_something_to_wait_for() -> None:
    pool = pool_of("a", "b")
    pool.set_drained("a", drained=True)
    pool.cool(choose(pool), 30, now=START)
    with pytest.raises(Cooling):
        choose(pool)


@pytest.mark.parametrize(
    ("tried", "now", "fresh"),
    [("", START, True), ("b", START, False), ("b", LATER, False), ("abc", START, False)],
)
def test_fresh_is_what_is_healthy_and_untried(tried: str, now: float, *, fresh: bool) -> None:
    pool = pool_of("a", "b", "c")
    fail(pool, "a", 5)
    pool.set_drained("c", drained=True)
    assert pool.has_fresh(NO_OPTIONS, tried=tried, now=now) is fresh


# -- who is near enough for the time that is left


@pytest.mark.parametrize(
    ("within", "tried", "name"),
    [(1.0, "", "a"), (0.25, "", "b"), (0.25, "b", "c"), (0.25, "bc", "b"), (0.15, "", "c")],
)
def test_who_cannot_answer_in_time_is_left_out(within: float, tried: str, name: str) -> None:
    pool = pool_of("a", "b", "c")
    for one, rtt in zip("abc", (0.3, 0.2, 0.1), strict=True):
        measure(pool, one, rtt)
    pool.update(
        {
            name: (endpoint(name, tier=tier), expected())
            for name, tier in zip("abc", (1, 2, 2), strict=True)
        },
        FAILOVER,
    )
    # The second tier prefers `c`, unless it is too crowded.
    for _ in range(30):
        choose(pool, options=Options(regions="c"))
    assert chosen(pool, *tried, within=within) == name


def test_where_nobody_is_near_enough_nothing_is_sent() -> None:
    pool = pool_of("a", "b")
    measure(pool, "a", 0.3)
    measure(pool, "b", 0.2)
    with pytest.raises(DeadlineError, match=r"the nearest endpoint needs 19\d ms") as caught:
        choose(pool, within=0.05)
    assert "50 ms are left" in str(caught.value)
    assert pool.in_flight() == {"a": 0, "b": 0}


def test_a_guess_of_the_distance_leaves_nobody_out() -> None:
    pool = pool_of("a")
    pool.place("a", expected(0.3))
    assert chosen(pool, within=0.01) == "a"


# -- out and back in


def test_two_failures_move_the_traffic_and_five_eject() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a")
    assert health(pool)["a"] == "healthy"
    fail(pool, "a")
    assert chosen(pool) == "b"
    assert health(pool)["a"] == "healthy"
    fail(pool, "a", 3)
    assert health(pool) == {"a": "ejected", "b": "healthy"}
    assert pool.ranking(START)[1].reason.endswith("ejected: answered 503")


def test_one_trial_decides() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    assert health(pool, LATER)["a"] == "on trial"
    trial, other = choose(pool, now=LATER), choose(pool, now=LATER)
    assert (trial.endpoint.name, trial.trial) == ("a", True)
    assert (other.endpoint.name, other.trial) == ("b", False)
    pool.answered(trial, 0.01, now=LATER)
    assert health(pool, LATER)["a"] == "healthy"


def test_a_trial_that_fails_ejects_for_longer() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    fail(pool, "a", now=LATER)
    assert health(pool, LATER + 7.9)["a"] == "ejected"
    assert health(pool, LATER + 12.1)["a"] == "on trial"


def test_a_trial_without_a_verdict_leaves_room_for_the_next() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    choose(pool, now=LATER).give_back()  # cancelled
    assert choose(pool, now=LATER).trial


def test_a_trial_that_was_not_begun_leaves_its_place_at_once() -> None:
    pool = pool_of("a", "b", clock=FakeClock(LATER))
    fail(pool, "a", 5)
    for _ in range(3):
        trial = choose(pool, now=LATER)  # no token is there
        assert (trial.endpoint.name, trial.trial) == ("a", True)
        trial.cancel()
    choose(pool, now=LATER).give_back()  # this one may have been sent
    assert chosen(pool, now=LATER) == "b"


def test_a_trial_ends_with_its_verdict_and_not_with_its_body() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    streaming = choose(pool, now=LATER)
    pool.answered(streaming, 0.01, now=LATER)
    fail(pool, "a", 5, now=LATER)
    again = LATER + 13  # past the second ejection
    second = choose(pool, now=again)
    assert second.trial
    streaming.give_back()
    assert chosen(pool, now=again) == "b", "two trials at once"


def test_a_probe_brings_an_unreachable_endpoint_back_without_a_request() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5, reached=False)
    pool.probed("a", connect=0.01, warm=0.01, now=START + 1)
    assert health(pool, START + 1)["a"] == "healthy"
    assert chosen(pool, now=START + 1) == "a"


def test_failed_probes_move_the_traffic_before_a_request_is_spent() -> None:
    pool = pool_of("a", "b")
    for second in range(3):
        pool.probe_failed("a", "connection refused", now=START + second)
    assert chosen(pool, now=START + 2) == "b"


def test_where_traffic_waits_in_vain_one_failed_probe_ejects() -> None:
    pool = pool_of("a", "b")
    for step in range(30):
        succeed(pool, "a", now=START + step / 100)
    for _ in range(4):
        choose(pool, now=START + 0.3, options=Options(regions="a"))
    pool.probe_failed("a", "no answer within 5 s", now=START + 0.305)
    assert health(pool, START + 0.305)["a"] == "healthy"
    assert pool.probe_views(START + 0.4)["a"].suspect
    pool.probe_failed("a", "no answer within 5 s", now=START + 0.4)
    assert health(pool, START + 0.4)["a"] == "ejected"


def test_while_probes_find_nobody_there_no_request_is_spent_on_a_trial() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5, reached=False)
    for second in range(60):
        pool.probe_failed("a", "connection refused", now=START + second)
        assert chosen(pool, now=START + second) == "b"
    assert choose(pool, now=START + 70).trial, "probes fell silent"


def test_probes_of_an_endpoint_that_is_gone_say_nothing() -> None:
    pool = pool_of("a")
    pool.probed("gone", connect=0.1, warm=0.1, now=START)
    pool.probe_failed("gone", "refused", now=START)
    pool.place("gone", expected())
    pool.set_skew("gone", 3.0)
    assert names(pool) == ["a"]


def test_a_pool_with_the_same_seed_ejects_for_the_same_time() -> None:
    def back(seed: int) -> list[str]:
        pool = pool_of("a", "b", seed=seed)
        fail(pool, "a", 5)
        return [health(pool, START + 4 + step / 100)["a"] for step in range(200)]

    assert back(1) == back(1)
    assert len({tuple(back(seed)) for seed in range(20)}) > 15


# -- what is told


def test_ejections_and_returns_are_noted_once_each() -> None:
    told: list[str] = []
    pool = pool_of("a", "b", note=told.append)
    fail(pool, "a", 7)
    fail(pool, "a", now=LATER)
    succeed(pool, "a", now=LATER + 13)
    length = float(told[0].split()[5])
    assert 4 <= length <= 6
    assert told == [f"a is left out for {length:.1f} s: answered 503", "a serves again"]


def test_a_clock_that_is_off_is_noted_once_in_a_while() -> None:
    told: list[str] = []
    pool = pool_of("a", note=told.append)
    chosen(pool)
    for skew in (-2.0, -2.1, None, -2.0):
        pool.set_skew("a", skew)
    assert told == ["the clock of a is 2.0 s behind"]
    assert "its clock is 2.0 s behind" in pool.ranking(START)[0].reason
    chosen(pool, now=START + 61)
    pool.set_skew("a", None)
    pool.set_skew("a", 0.2)
    assert told[1:] == ["the clock of a is 200 ms ahead"]


def test_the_schedule_is_told_what_it_has_to_know() -> None:
    pool = pool_of("a", "b", "c")
    fail(pool, "b", 5)
    pool.probed("a", connect=0.01, warm=0.01, now=START)
    pool.probe_failed("c", "refused", now=START)
    views = pool.probe_views(START)
    assert list(views) == ["a", "c", "b"]
    assert {name: view.down for name, view in views.items()} == {"a": False, "b": True, "c": True}
    assert [view.samples for view in views.values()] == [1, 0, 0]
    assert {view.best for view in views.values()} == {views["a"].cost}
    assert {view.population for view in views.values()} == {3}
    assert pool_of().probe_views(START) == {}


def test_an_answer_faster_than_light_is_said_to_be_so() -> None:
    known = {"a": (endpoint("a"), expected(0.2, floor=0.11))}
    pool = EndpointPool(known, FAILOVER, chance=random.Random(1), busy=lambda: 0.0)
    pool.probed("a", connect=0.02, warm=0.02, now=START)
    reason = pool.ranking(START)[0].reason
    assert "faster than light allows for its place: it is elsewhere, or anycast" in reason


def test_all_endpoints_are_given_best_first() -> None:
    pool = pool_of(endpoint("a", tier=2), "b", "c")
    assert [e.name for e in pool.endpoints()] == ["b", "c", "a"]


def test_what_would_be_chosen_can_be_asked_without_taking_anything() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    asked = pool.explain(NO_OPTIONS, now=LATER)
    assert (asked.chosen.name, asked.trial) == ("a", True)
    assert pool.in_flight() == {"a": 0, "b": 0}
    assert choose(pool, now=LATER).trial, "the question was no trial"
    assert pool.explain(Options(regions="b", affinity="chat"), now=LATER).chosen.name == "b"
    with pytest.raises(NoEndpointError):
        pool.explain(Options(regions="c"), now=LATER)


# -- giving back


def test_a_choice_gives_back_once() -> None:
    pool = pool_of("a")
    first, second = choose(pool), choose(pool)
    assert pool.in_flight() == {"a": 2}
    for _ in range(3):
        first.give_back()
    assert pool.in_flight() == {"a": 1}
    second.give_back()
    assert pool.in_flight() == {"a": 0}


def test_a_choice_shows_no_machinery() -> None:
    words = repr(choose(pool_of("a")))
    assert "EndpointPool" not in words
    assert "State(" not in words


def test_a_child_process_inherits_knowledge_and_no_attempts() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 5)
    trial = choose(pool, now=LATER)
    pool._lock.acquire()  # by a thread that the child does not have
    pool.reset_after_fork()
    assert pool.in_flight() == {"a": 0, "b": 0}
    assert health(pool, LATER)["a"] == "on trial"
    trial.give_back()
    assert pool.in_flight() == {"a": 0, "b": 0}
    assert choose(pool, now=LATER).trial, "the parent's trial blocks the child's for ever"


def test_an_answer_from_before_an_ejection_does_not_end_it() -> None:
    pool = pool_of("a", "b")
    late = choose(pool, now=START)
    fail(pool, "a", 5, now=START + 1)
    assert health(pool, START + 1)["a"] == "ejected"
    pool.answered(late, 1.2, now=START + 1.2)
    late.give_back()
    assert health(pool, START + 1.2)["a"] == "ejected"


def test_a_trial_that_decided_nothing_puts_the_next_one_off_by_a_second() -> None:
    clock = FakeClock(LATER)
    pool = pool_of("a", "b", clock=clock)
    eject(pool, "a")
    held = choose(pool, now=LATER)
    assert (held.endpoint.name, held.trial) == ("a", True)
    held.give_back()
    assert health(pool, LATER)["a"] == "ejected"
    assert chosen(pool, now=LATER + 0.99) == "b"
    assert choose(pool, now=LATER + 1.01).trial


def test_a_weight_on_all_does_not_switch_the_comparison_off() -> None:
    pool = pool_of(endpoint("a", weight=100.0), endpoint("b", weight=100.0))
    for name, rtt in (("a", 0.02), ("b", 0.06)):
        measure(pool, name, rtt)
        for step in range(30):
            succeed(pool, name, now=START + step / 10, elapsed=rtt)
    assert chosen(pool, now=START + 4) == "a"
    for step in range(20):
        succeed(pool, "a", now=START + 4 + step / 10, elapsed=0.4)
    assert chosen(pool, now=START + 6) == "b"


def test_whom_the_configuration_does_not_allow_comes_last_and_is_not_watched() -> None:
    pool = pool_of("a", endpoint("b", tier=2), "c", allow=Options(regions=("b", "c")))
    assert [(row.name, row.allowed) for row in pool.ranking(START)] == [
        ("c", True),
        ("b", True),
        ("a", False),
    ]
    assert set(pool.names()) == set(pool.probe_views(START)) == {"b", "c"}


def test_who_was_never_asked_and_hardly_costs_more_is_asked_once() -> None:
    pool = pool_of("a", "b", "c")
    for name, rtt in (("a", 0.1), ("b", 0.12), ("c", 0.13)):
        measure(pool, name, rtt)
    succeed(pool, "a", elapsed=0.1)
    taken = [choose(pool, now=START + step / 10) for step in range(1, 6)]
    assert [c.endpoint.name for c in taken] == ["b", "a", "a", "a", "a"]
