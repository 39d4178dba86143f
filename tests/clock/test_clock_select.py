"""Selection: an honest majority keeps the truth within the bound, whatever the others say."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.ntp import Sample
from router.clock.select import covered, select

TRUTH = 1_700_000_000.0
NOW = 1000.0


def claim(error: float, bound: float) -> Sample:
    """Return a sample that is `error` off and says it is right to `bound`."""
    return Sample(theta=TRUTH + error, delta=bound, epsilon=bound / 2, taken=NOW)


COVERED = [
    ("nothing", [], 1, []),
    ("one alone", [(1, 2)], 1, [(1, 2)]),
    ("one is no majority of two", [(1, 2)], 2, []),
    ("an overlap", [(1, 3), (2, 4)], 2, [(2, 3)]),
    ("a touch counts", [(1, 2), (2, 3)], 2, [(2, 2)]),
    ("two apart", [(1, 2), (3, 4)], 2, []),
    ("three, each pair", [(1, 4), (3, 8), (7, 9)], 2, [(3, 4), (7, 8)]),
    ("nested", [(0, 9), (1, 8), (2, 7)], 2, [(1, 8)]),
    ("the same thrice", [(1, 2), (1, 2), (1, 2)], 2, [(1, 2)]),
]


@pytest.mark.parametrize(("intervals", "need", "expected"), [row[1:] for row in COVERED])
def test_covered_stretches(
    intervals: list[tuple[float, float]], need: int, expected: list[tuple[float, float]]
) -> None:
    assert covered(intervals, need) == expected


def test_a_single_server_is_believed_to_its_own_bound() -> None:
    selection = select({"a": claim(0.01, 0.02)}, 1, NOW)
    assert selection is not None
    assert selection.theta == TRUTH + 0.01
    assert selection.bound == pytest.approx(0.02, abs=1e-6)
    assert selection.used == ("a",)


def test_the_liar_is_named_and_does_not_weigh() -> None:
    samples = {"a": claim(0.001, 0.01), "liar": claim(2, 0.001), "b": claim(-0.001, 0.01)}
    selection = select(samples, 3, NOW)
    assert selection is not None
    assert (selection.used, selection.falsetickers) == (("a", "b"), ("liar",))
    assert selection.theta == pytest.approx(TRUTH, abs=1e-6)


@pytest.mark.parametrize("configured", [2, 3, 5])
def test_silent_servers_leave_the_rest_without_a_majority(configured: int) -> None:
    samples = {str(n): claim(0, 0.01) for n in range(configured // 2)}
    assert select(samples, configured, NOW) is None


def test_the_bound_is_the_hull_of_all_majorities_not_the_narrowest_one() -> None:
    samples = {"a": claim(-3, 1.5), "wide": claim(0, 2.5), "b": claim(3, 1.5)}
    selection = select(samples, 3, NOW)
    assert selection is not None
    assert selection.used == ("a", "wide", "b")
    low, high = selection.theta - selection.bound, selection.theta + selection.bound
    assert low <= TRUTH - 2.5 < TRUTH + 2.5 <= high


def test_servers_that_all_contradict_each_other_agree_on_nothing() -> None:
    assert select({"a": claim(0, 0.1), "b": claim(1, 0.1), "c": claim(2, 0.1)}, 3, NOW) is None


def test_the_precise_server_weighs_more_than_the_vague_one() -> None:
    selection = select({"precise": claim(0, 0.001), "vague": claim(0.05, 0.1)}, 2, NOW)
    assert selection is not None
    assert abs(selection.theta - TRUTH) < 0.0001


def test_bounds_grow_with_the_age_of_the_samples() -> None:
    fresh = select({"a": claim(0, 0.01)}, 1, NOW)
    aged = select({"a": claim(0, 0.01)}, 1, NOW + 1000)
    assert fresh is not None
    assert aged is not None
    assert aged.bound - fresh.bound == pytest.approx(0.1, abs=1e-6)


bounds = st.floats(0.0005, 0.5)
honest_claims = st.builds(
    lambda bound, share: claim(bound * share, bound), bounds, st.floats(-1, 1)
)
any_claims = st.builds(claim, st.floats(-5, 5), bounds)


@settings(database=None, derandomize=True, max_examples=400)
@given(data=st.data(), configured=st.integers(1, 7))
def test_an_honest_majority_keeps_the_truth_within_the_bound(
    data: st.DataObject, configured: int
) -> None:
    need = configured // 2 + 1
    honest = data.draw(st.lists(honest_claims, min_size=need, max_size=configured))
    liars = data.draw(st.lists(any_claims, max_size=configured - len(honest)))
    claims = data.draw(st.permutations([*honest, *liars]))
    selection = select({str(n): sample for n, sample in enumerate(claims)}, configured, NOW)
    assert selection is not None
    assert abs(selection.theta - TRUTH) <= selection.bound + 1e-6  # the float's own grain
    assert len(selection.used) >= need
    assert len(selection.used) + len(selection.falsetickers) == len(claims)


@settings(database=None, derandomize=True)
@given(st.lists(any_claims, min_size=1, max_size=5))
def test_the_order_of_the_servers_does_not_matter(claims: list[Sample]) -> None:
    named = {str(n): sample for n, sample in enumerate(claims)}
    one, other = select(named, 5, NOW), select(dict(reversed(named.items())), 5, NOW)
    assert (one is None) == (other is None)
    if one and other:
        assert one.theta == pytest.approx(other.theta, abs=1e-6)
        assert set(one.used) == set(other.used)
