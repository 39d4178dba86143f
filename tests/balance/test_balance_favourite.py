"""Who keeps its place although another is a little better."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from balance_samples import START
from slate_samples import eject, near_and_far, picked, slate_of, under_way

from router.balance.load import Load
from router.latency.estimate import Estimate

if TYPE_CHECKING:
    from router.balance.slate import Slate
    from router.balance.state import State


def rivals(favourite: float, challenger: float, *, sd: float = 0.001) -> tuple[Slate, State, State]:
    """Return a slate whose favourite got a rival, and the two of them."""
    one, other = near_and_far(favourite, 9.0, sd=sd)
    slate = slate_of(one, other)
    assert slate.favourite is one
    other.way.estimate = Estimate(challenger, sd, "measured", 8)
    other.reprice(START + 1, 0.0)
    slate.refresh(START + 1, 0.0)
    return slate, one, other


@pytest.mark.parametrize(
    ("favourite", "challenger", "sd", "stays"),
    [
        (0.030, 0.0249, 0.001, False),
        (0.030, 0.0251, 0.001, True),  # under 5 ms
        (0.300, 0.2849, 0.001, False),
        (0.300, 0.2851, 0.001, True),  # under 5 %
        (0.100, 0.0900, 0.010, False),
        (0.100, 0.0900, 0.030, True),  # three deviations of both are 12 ms: that may be noise
        (0.001, 0.0008, 0.001, True),  # under a quarter: so near, nobody notices
        (0.001, 0.0007, 0.001, False),
    ],
)
def test_the_favourite_is_left_for_a_clear_gain_only(
    favourite: float, challenger: float, sd: float, *, stays: bool
) -> None:
    slate, one, other = rivals(favourite, challenger, sd=sd)
    assert slate.favourite is (one if stays else other)


@pytest.mark.parametrize(
    ("favourite", "challenger", "why"),
    [
        (0.030, 0.0251, ("a", "kept")),
        (0.030, 0.0249, ("b", "least")),
        (0.300, 0.2851, ("a", "kept")),
        (0.300, 0.2849, ("b", "least")),
        (0.001, 0.0008, ("a", "kept")),
        (0.001, 0.0007, ("b", "least")),
    ],
)
def test_requests_stay_with_the_favourite_where_another_is_hardly_better(
    favourite: float, challenger: float, why: tuple[str, str]
) -> None:
    assert picked(rivals(favourite, challenger)[0]) == why


def test_what_passes_moves_requests_and_leaves_the_favourite_its_place() -> None:
    slate, one, other = rivals(0.100, 0.130)
    one.load = Load(0.1, now=START + 1)
    for _ in range(2):
        one.load.answered(0.1, in_flight=1, now=START + 1)
    one.load._surplus.value = 0.05
    one.reprice(START + 1, 0.0)
    slate.touch()
    slate.refresh(START + 1, 0.0)
    assert picked(slate) == ("b", "least")
    assert slate.favourite is one
    one.load._surplus.value = 0.0
    one.reprice(START + 1, 0.0)
    assert picked(slate) == ("a", "least")
    assert other.price == pytest.approx(0.130)


def test_the_favourite_keeps_its_place_and_not_what_it_cannot_serve() -> None:
    one, other = near_and_far(0.104, 9.0)
    slate = slate_of(one, other)
    other.way.estimate = Estimate(0.100, 0.01, "measured", 8)
    other.reprice(START + 1, 0.0)
    slate.refresh(START + 1, 0.0)
    under_way(one, 7)
    assert picked(slate) == ("a", "kept")
    under_way(one, 8)  # a ninth request would wait
    assert picked(slate) == ("b", "least")
    under_way(other, 9)
    assert picked(slate) == ("a", "least")


@pytest.mark.parametrize("why", ["ejected", "drained", "cooling"])
def test_a_favourite_that_is_out_is_left_at_once(why: str) -> None:
    one, other = near_and_far(0.1, 0.104)
    slate = slate_of(one, other)
    one.drained = why == "drained"
    if why == "ejected":
        eject(one)
    if why == "cooling":
        one.cool(START + 5)
    slate.touch()
    slate.refresh(START, 0.0)
    assert picked(slate) == ("b", "least")
    assert slate.favourite is other
