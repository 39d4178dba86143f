from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from balance_samples import START, state
from hypothesis import given
from hypothesis import strategies as st
from slate_samples import (
    LETTERS,
    doubt,
    eject,
    line,
    near_and_far,
    picked,
    slate_of,
    under_way,
)

from router.balance.decision import Why
from router.balance.health import Availability
from router.balance.slate import AT_HAND, FEW, IN_RESERVE, Slate

if TYPE_CHECKING:
    from router.balance.state import State

# -- few prices


def test_the_cheapest_is_chosen_and_its_rivals_prices_are_kept() -> None:
    slate = slate_of(*near_and_far(0.03, 0.01, 0.02))
    assert picked(slate) == ("b", "least")
    assert slate.prices == [0.01, 0.02, 0.03]
    assert [row.name for row in slate.standing.rows] == ["b", "c", "a"]


def test_what_is_under_way_moves_the_next_request_without_sorting() -> None:
    near, far = near_and_far(0.10, 0.12)
    slate = slate_of(near, far)
    under_way(near, 8)  # one more would queue
    assert picked(slate) == ("a", "least")
    under_way(near, 9)  # 125 ms
    assert picked(slate) == ("b", "least")


def test_of_many_endpoints_a_few_are_at_hand() -> None:
    members = near_and_far(*(0.01 * n for n in range(1, 20)))
    reserve = near_and_far(*(0.01 * n for n in range(1, 20)), tier=2)
    slate = slate_of(*reserve, *members)
    assert line(slate.first) == LETTERS[:AT_HAND]
    assert line(slate.second) == LETTERS[:IN_RESERVE]
    assert all(one.endpoint.tier == 2 for one in slate.second)


def test_where_there_is_nobody_there_is_no_choice() -> None:
    assert slate_of().pick() is None
    (alone,) = near_and_far(0.1)
    alone.drained = True
    assert slate_of(alone).pick() is None


# -- tiers


@pytest.mark.parametrize(
    ("ready", "chosen"), [("abc", "a"), ("bc", "b"), ("c", "c"), ("ac", "a"), ("", None)]
)
def test_a_tier_serves_when_nobody_above_can(ready: str, chosen: str | None) -> None:
    tiers = [state("a", 0.3, tier=1), state("b", 0.2, tier=2), state("c", 0.1, tier=5)]
    for one in tiers:
        one.drained = one.endpoint.name not in ready
    best = slate_of(*tiers).pick()
    assert (best and best.endpoint.name) == chosen


@pytest.mark.parametrize(
    ("at_first", "at_second", "chosen"),
    [
        (0, 0, ("a", "least")),
        (15, 0, ("a", "least")),  # twice what it holds without a queue
        (16, 0, ("b", "spilt")),
        (16, 15, ("b", "spilt")),
        (16, 16, ("a", "least")),  # the second is as full
    ],
)
def test_what_the_first_tier_is_too_crowded_for_spills_over(
    at_first: int, at_second: int, chosen: tuple[str, str]
) -> None:
    first, second = state("a", 0.1), state("b", 0.2, tier=2)
    slate = slate_of(first, second)
    under_way(first, at_first)
    under_way(second, at_second)
    assert picked(slate) == chosen


@pytest.mark.parametrize(
    ("odds", "second", "chosen"),
    [
        (0.0, -7.0, "a"),
        (0.5, -7.0, "b"),  # more likely broken than not
        (0.5, 0.5, "a"),  # the second is as bad
    ],
)
def test_a_doubtful_first_tier_spills_over_before_it_is_ejected(
    odds: float, second: float, chosen: str
) -> None:
    one, other = state("a", 0.1), state("b", 0.2, tier=2)
    slate = slate_of(one, other)
    doubt(one, odds)
    doubt(other, second)
    assert picked(slate)[0] == chosen


def test_while_one_of_the_first_tier_is_well_nothing_spills() -> None:
    one, two, other = state("a", 0.1), state("b", 0.4), state("c", 0.2, tier=2)
    slate = slate_of(one, two, other)
    doubt(one)
    assert picked(slate) == ("b", "least")


# -- panic


def test_where_more_than_half_are_ejected_that_is_not_believed() -> None:
    members = near_and_far(0.1, 0.2, 0.3, 0.4)
    for count, (panic, first) in enumerate([(False, "bcd"), (False, "cd"), (True, "abcd")]):
        eject(members[count])
        slate = slate_of(*members)
        assert (slate.panic, "".join(sorted(line(slate.first)))) == (panic, first)
    assert picked(slate) == ("d", "least")  # the others at the price of who is probably broken
    assert all(one.doubtful for one in members[:3])


def test_a_crowd_at_the_last_that_works_is_spread_over_the_ejected() -> None:
    members = near_and_far(0.1, 0.2)
    for one in members[:1]:
        eject(one)
    lonely = slate_of(*members)
    under_way(members[1], 200)
    assert picked(lonely)[0] == "b", "half is not more than half"
    members.append(state("c", 0.1))
    eject(members[2])
    slate = slate_of(*members)
    assert picked(slate)[0] in "ac"


def test_what_a_probe_too_cannot_reach_is_not_asked_in_a_panic() -> None:
    members = near_and_far(0.1, 0.2)
    for one in members:
        eject(one)
    members[0].health.cause = "unreachable"
    members[0].health.probe_failures = 1
    assert line(slate_of(*members).first) == "b"


def test_a_drained_endpoint_does_not_count_for_a_panic() -> None:
    members = near_and_far(0.1, 0.2, 0.3)
    eject(members[0])
    members[2].drained = True
    assert not slate_of(*members).panic
    members[1].drained = True
    assert slate_of(*members).panic


# -- what time alone changes


@pytest.mark.parametrize(
    ("now", "first"), [(START, "c"), (START + 2.9, "c"), (START + 3, "bc"), (START + 5, "abc")]
)
def test_who_comes_back_by_time_alone_is_taken_when_it_is_time(now: float, first: str) -> None:
    members = near_and_far(0.1, 0.2, 0.3)
    eject(members[0])
    members[1].cool(START + 3)
    slate = slate_of(*members)
    slate.adopt(members, now, 0.0)  # as if it were sorted, so that only the time changes
    slate._sorted_at = math.inf
    slate.refresh(now, 0.0)
    assert line(slate.first) == first


def test_the_next_change_is_the_first_of_all() -> None:
    members = near_and_far(0.1, 0.2, 0.3, 0.4)
    eject(members[0], until=START + 9)
    members[1].cool(START + 3)
    members[2].drained = True
    assert slate_of(*members)._changes_at == START + 3
    assert slate_of(members[2], members[3])._changes_at == math.inf


def test_a_few_are_sorted_every_50_ms_and_many_by_others() -> None:
    small, large = slate_of(*near_and_far(0.1)), Slate([state(f"e{n}") for n in range(FEW + 1)])
    assert (small.is_small, large.is_small) == (True, False)
    assert not small.is_due(START + 0.049)
    assert small.is_due(START + 0.051)
    assert not large.is_due(START + 1e6)


def test_between_two_sortings_the_doubt_of_those_at_hand_is_kept_up_to_date() -> None:
    one, other = near_and_far(0.1, 0.2)
    doubt(one)
    slate = slate_of(one, other)
    assert picked(slate)[0] == "b"
    slate._sorted_at = math.inf
    slate.refresh(START + 60, 0.0)
    assert picked(slate)[0] == "a", "it faded"


# -- among those that were not tried


@pytest.mark.parametrize(
    ("tried", "within", "chosen"),
    [
        ("", 9.0, "a"),
        ("a", 9.0, "b"),
        ("ab", 9.0, "c"),
        ("abc", 9.0, None),
        ("", 0.15, "b"),  # `a` cannot answer in that time
        ("b", 0.15, "c"),
        ("", 0.01, None),
    ],
)
def test_who_was_tried_or_is_too_far_is_passed_by(
    tried: str, within: float, chosen: str | None
) -> None:
    members = [state("a", 0.1), state("b", 0.2), state("c", 0.05, tier=2)]
    for one, least in zip(members, (0.2, 0.1, 0.02), strict=True):
        one.least_rtt = least
    best = slate_of(*members).pick_among(tried, within=within)
    assert (best and best.endpoint.name) == chosen


@given(
    st.lists(
        st.tuples(
            st.floats(1e-4, 2),
            st.integers(1, 3),
            st.integers(0, 40),
            st.floats(-7, 8),
            st.sampled_from(["", "", "", "ejected", "drained", "cooling", "gone"]),
        ),
        max_size=IN_RESERVE + 1,
    )
)
def test_a_choice_is_somebody_who_may_serve_whatever_the_members_are_like(
    members: list[tuple[float, int, int, float, str]],
) -> None:
    made: list[State] = []
    for rtt, tier, count, odds, out in members:
        one = state(LETTERS[len(made)], rtt, tier=tier)
        doubt(one, odds)
        one.drained = out == "drained"
        one.cooling_until = START + 5 if out == "cooling" else 0.0
        if out in {"ejected", "gone"}:
            eject(one)
            one.health.probe_failures = 3
            one.health.cause = "failing" if out == "ejected" else "unreachable"
        under_way(one, count)
        made.append(one)
    slate = slate_of(*made)
    best = slate.pick()
    ready = [one for one in made if one.availability(START) is Availability.READY]
    assert best is not None if ready else best is None or slate.panic
    assert not {*slate.first} & {*slate.second}
    if best is not None:
        assert best in slate.first + slate.second
        assert slate.serves(best, START)
        assert best.price > 0
        assert (slate.why is Why.SPILT) == (best in slate.second)
        tiers = {one.endpoint.tier for one in slate.first}
        assert len(tiers) == 1
        if not slate.panic:
            assert {min(one.endpoint.tier for one in ready)} == tiers
        elif ready:
            assert {*ready} & {*slate.first, *slate.second}, "who works is not at hand"


def test_a_favourite_that_came_back_is_asked_although_its_price_is_only_guessed() -> None:
    back, other = near_and_far(0.100, 0.110)
    slate = slate_of(back, other)
    other.extra = -0.025  # its answers became quicker
    other.settle()
    assert picked(slate) == ("a", "curious")
    under_way(back, 1)
    assert picked(slate)[0] == "b", "one request finds out"
    under_way(back, 0)
    other.extra = -0.05
    other.settle()
    assert picked(slate)[0] == "b", "it would cost far more, as far as is known"
