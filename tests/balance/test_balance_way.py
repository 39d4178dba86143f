from __future__ import annotations

import pytest
from balance_samples import START, expected

from router.balance.way import LAPSES, Way


def way(*probes: float, rtt: float = 0.1, floor: float = 0.0) -> Way:
    """Return what a prior and probes that took so long tell, a second apart."""
    made = Way(expected(rtt, floor=floor))
    for place, seconds in enumerate(probes):
        probe(made, seconds, now=START + place)
    return made


def probe(
    made: Way,
    connect: float,
    warm: float | None = None,
    *,
    afresh: bool = False,
    now: float = START,
) -> float:
    """Take a probe's figures, as of a warm request that takes no longer than a connect."""
    return made.probed(connect=connect, warm=warm or connect, afresh=afresh, now=now)


def test_a_round_trip_faster_than_light_proves_the_place_wrong() -> None:
    made = way(0.020, rtt=0.200, floor=0.110)
    assert made.misplaced
    assert made.estimate.rtt == pytest.approx(0.020)  # the prior would have said 36 ms
    assert made.estimate.source == "blended"
    probe(made, 0.140)
    assert made.misplaced, "once proved it stays proved"


@pytest.mark.parametrize(
    ("connect", "warm", "probes", "wrong"),
    [
        (0.110, 0.110, 9, False),
        (0.109, 0.115, 4, False),  # there may be an edge near by …
        (0.109, 0.115, 5, True),  # … and here there is none
        (0.109, 0.900, 9, False),  # what lies behind an edge may be where it is said to be
        (0.010, 0.109, 1, True),  # … unless even that answers too soon
    ],
)
def test_where_there_may_be_an_edge_the_warm_request_is_what_counts(
    connect: float, warm: float, probes: int, *, wrong: bool
) -> None:
    made = way(rtt=0.200, floor=0.110)
    for _ in range(probes):
        probe(made, connect, warm)
    assert made.misplaced is wrong


def test_the_same_place_again_is_not_believed_and_another_one_is() -> None:
    made = way(0.020, rtt=0.200, floor=0.110)
    made.place(expected(0.200, floor=0.110))
    distrusted = made.misplaced
    assert distrusted
    assert made.estimate.rtt == pytest.approx(0.020)
    made.place(expected(0.030, floor=0.010))
    assert made.misplaced is False
    assert made.estimate.rtt == pytest.approx(0.0223, rel=0.01)


def test_another_place_changes_a_guess() -> None:
    made = way(rtt=0.200)
    made.place(expected(0.030))
    assert (made.estimate.rtt, made.estimate.source) == (0.030, "prior")


def test_the_first_probe_after_an_outage_begins_a_new_estimate() -> None:
    made = way(*[0.2] * 8)
    probe(made, 0.02, afresh=True)
    assert (made.estimate.samples, made.estimate.source) == (1, "blended")


@pytest.mark.parametrize(
    ("before", "after", "moved"),
    [
        (0, 0.3, 0.0),  # from a guess to a measurement nothing moved
        (2, 0.3, 0.0),
        (7, 0.1, 0.0),
        (7, 0.11, 0.0),  # one in eight moves no median
    ],
)
def test_it_tells_by_how_much_the_way_became_longer(
    before: int, after: float, moved: float
) -> None:
    assert probe(way(*[0.1] * before), after) == pytest.approx(moved)


def test_a_step_is_told_once_and_with_the_service_behind_it() -> None:
    made = way(*[0.1] * 8)
    told = [probe(made, 0.3, 0.34, now=START + n) for n in range(9, 14)]
    assert sum(told) == pytest.approx(0.24)
    assert sorted(told) == [0.0, 0.0, 0.0, 0.0, pytest.approx(0.24)]


@pytest.mark.parametrize(("probes", "least"), [((), 0.0), ((0.1, 0.1), 0.0), ((0.1,) * 8, 0.0974)])
def test_what_was_measured_says_how_soon_no_answer_can_come(
    probes: tuple[float, ...], least: float
) -> None:
    assert way(*probes).least == pytest.approx(least, abs=1e-4)


@pytest.mark.parametrize(
    ("probes", "later", "best"),
    [
        ((0.1,) * 8, 0, None),  # it is what it was
        ((0.1,) * 8 + (0.2,) * 3, 0, 0.1),
        ((0.1,) * 8 + (0.2,) * 3, LAPSES + 1, None),  # that is too long ago
        ((0.2,) * 8 + (0.1,) * 3, 0, None),  # it became better
    ],
)
def test_who_was_better_of_late_is_remembered_for_a_while(
    probes: tuple[float, ...], later: float, best: float | None
) -> None:
    assert way(*probes).lapsed(START + len(probes) + later) == best


def test_after_a_while_the_best_is_what_it_is_now() -> None:
    made = way(*[0.1] * 8, *[0.2] * 3)
    probe(made, 0.2, now=START + 2 * LAPSES)
    for _ in range(8):
        probe(made, 0.3, now=START + 2 * LAPSES + 1)
    assert made.lapsed(START + 2 * LAPSES + 1) == pytest.approx(0.2)


def test_a_copy_learns_on_its_own() -> None:
    made = way(0.1, 0.1)
    own = made.copied()
    probe(own, 0.1)
    assert (own.estimate.samples, made.estimate.samples) == (3, 2)
    probe(made, 0.1)
    assert made.estimate.samples == 3
