from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.latency.estimate import RttEstimator


def estimator(rtt: float = 0.100, sigma: float = 0.25, **probes: list[float]) -> RttEstimator:
    made = RttEstimator(rtt=rtt, sigma=sigma)
    connects = probes.get("connect", [])
    for connect, warm in zip(connects, probes.get("warm", connects), strict=True):
        made.add(connect=connect, warm=warm)
    return made


def test_without_samples_the_prior_is_the_estimate() -> None:
    estimate = estimator(0.080, 0.35).estimate()
    assert estimate.rtt == pytest.approx(0.080)
    assert (estimate.sd, estimate.source, estimate.samples) == (0.35, "prior", 0)
    assert (estimate.service, estimate.behind_edge) == (0.0, False)


@pytest.mark.parametrize(
    ("sigma", "samples", "rtt", "sd"),
    [
        # one sample of deviation 0.15 against a prior at 100 ms: precisions 44.4 and 16, then 2.04
        (0.25, [0.025], 0.03609, 0.1286),
        (0.70, [0.025], 0.02657, 0.1467),
        (0.25, [0.100], 0.10000, 0.1286),
        # two samples count twice: precisions 88.9 and 16
        (0.25, [0.025, 0.025], 0.03088, 0.0976),
        (0.25, [0.020, 0.030], 0.03088, 0.0976),
    ],
)
def test_one_or_two_samples_are_blended_with_the_prior_by_log_precision(
    sigma: float, samples: list[float], rtt: float, sd: float
) -> None:
    estimate = estimator(sigma=sigma, connect=samples).estimate()
    assert (estimate.source, estimate.samples) == ("blended", len(samples))
    assert estimate.rtt == pytest.approx(rtt, rel=1e-3)
    assert estimate.sd == pytest.approx(sd, rel=1e-3)


@pytest.mark.parametrize("prior", [0.001, 0.1, 10.0])
def test_from_the_third_sample_on_the_prior_is_dropped(prior: float) -> None:
    estimate = estimator(prior, 0.01, connect=[0.020, 0.024, 0.022]).estimate()
    assert (estimate.rtt, estimate.source, estimate.samples) == (0.022, "measured", 3)


@pytest.mark.parametrize(
    ("samples", "rtt"),
    [
        ([0.010] * 3, 0.010),
        ([0.010, 0.012, 0.500], 0.012),  # one outlier says nothing
        ([0.020, 0.500, 0.021, 0.022, 0.020, 0.023, 0.500, 0.019], 0.0215),
        ([0.016, 0.017, 0.018, 0.019, 0.020, 0.021, 0.022, 0.023, 0.024, 0.024], 0.0215),
    ],
)
def test_the_median_of_the_last_eight_decides(samples: list[float], rtt: float) -> None:
    estimate = estimator(connect=samples).estimate()
    assert estimate.rtt == pytest.approx(rtt)
    assert (estimate.samples, estimate.source) == (min(8, len(samples)), "measured")


@pytest.mark.parametrize(
    ("samples", "rtt"),
    [
        ([0.020, 0.060, 0.020, 0.070, 0.021, 0.080, 0.022, 0.050], 0.02075),
        ([0.020, 0.040, 0.080], 0.030),  # half-way to the second of three
        ([0.020, 0.021, 0.022, 0.080], 0.0215),  # that is not noisy: the middle
    ],
)
def test_where_it_is_noisy_the_lower_quarter_decides(samples: list[float], rtt: float) -> None:
    assert estimator(connect=samples).estimate().rtt == pytest.approx(rtt)


@pytest.mark.parametrize(
    ("samples", "rtt", "count"),
    [
        ([0.100] * 8 + [0.020], 0.100, 8),  # one may be a lone stray
        ([0.100] * 8 + [0.020] * 2, 0.020, 2),
        ([0.020] * 8 + [0.100] * 2, 0.100, 2),
        ([0.020] * 8 + [0.100] * 5, 0.100, 5),
        ([0.020] * 8 + [0.100, 0.020, 0.100, 0.020], 0.020, 8),  # to and fro
        ([0.020] * 8 + [0.100, 0.004], 0.020, 8),  # not on the same side
        ([0.020] * 8 + [0.0212] * 2, 0.020, 8),  # not far off
        ([0.020] * 2 + [0.100] * 2, 0.020, 4),  # too few to say what was before
        ([0.010, 0.040, 0.020, 0.080, 0.010, 0.040] + [0.090] * 2, 0.0175, 8),  # it is noisy
    ],
)
def test_two_in_a_row_that_lie_far_off_on_one_side_are_a_new_way(
    samples: list[float], rtt: float, count: int
) -> None:
    estimate = estimator(9.9, connect=samples).estimate()
    assert estimate.rtt == pytest.approx(rtt)
    assert (estimate.samples, estimate.source) == (count, "measured")


def test_after_an_outage_it_begins_with_the_prior_again() -> None:
    made = estimator(0.3, 0.25, connect=[0.1] * 8 + [0.02] * 2)
    made.forget()
    assert made.estimate().source == "prior"
    made.add(connect=0.02, warm=0.02)
    assert made.estimate().source == "blended"


@pytest.mark.parametrize(
    ("connect", "warm", "edge", "rtt", "service"),
    [
        (0.020, 0.020, False, 0.020, 0.000),
        (0.020, 0.045, False, 0.020, 0.025),
        (0.020, 0.0499, False, 0.020, 0.0299),
        (0.020, 0.0501, True, 0.0501, 0.000),  # under 40 %: TCP ends near by
        (0.002, 0.120, True, 0.120, 0.000),
        (0.030, 0.020, False, 0.030, 0.000),  # service time is never negative
    ],
)
def test_over_five_samples_an_edge_shows_in_connects_far_shorter_than_requests(
    connect: float, warm: float, *, edge: bool, rtt: float, service: float
) -> None:
    estimate = estimator(connect=[connect] * 5, warm=[warm] * 5).estimate()
    assert estimate.behind_edge is edge
    assert estimate.rtt == pytest.approx(rtt)
    assert estimate.service == pytest.approx(service)
    assert estimate.total == pytest.approx(rtt + service)
    fewer = estimator(connect=[connect] * 4, warm=[warm] * 4).estimate()
    assert not fewer.behind_edge
    assert fewer.rtt == pytest.approx(connect)


@pytest.mark.parametrize(
    ("samples", "spread"),
    [
        ([0.020] * 3, 0.02),  # (0 + 0.03) / 2 lies under the floor
        ([0.020] * 8, 0.02),
        ([0.020, 0.0202, 0.0198], 0.0224),  # (1.48 · 0.00995 + 0.03) / 2
        ([0.010, 0.020, 0.040], 0.5279),  # (1.48 · ln 2 + 0.03) / 2
    ],
)
def test_the_spread_is_pooled_and_has_a_floor(samples: list[float], spread: float) -> None:
    estimate = estimator(connect=samples).estimate()
    assert estimate.sd == pytest.approx(1.25 * spread / math.sqrt(len(samples)), rel=5e-3)


def test_more_samples_make_the_estimate_surer() -> None:
    by_count = [estimator(connect=[0.020] * count).estimate().sd for count in range(9)]
    assert by_count == sorted(by_count, reverse=True)
    assert by_count[8] < by_count[3] < by_count[2] < by_count[1] < by_count[0]


def test_another_place_changes_the_prior_and_keeps_the_samples() -> None:
    made = estimator(0.300, 0.25, connect=[0.020])
    made.place(rtt=0.020, sigma=0.25)
    estimate = made.estimate()
    assert estimate.rtt == pytest.approx(0.020)
    assert estimate.samples == 1


@pytest.mark.parametrize("time", [0.0, -1.0, 1e-12])
def test_times_that_cannot_be_are_taken_as_the_least_that_can(time: float) -> None:
    made = RttEstimator(rtt=time, sigma=0.25)
    assert made.estimate().rtt == pytest.approx(1e-6)
    for _ in range(3):
        made.add(connect=time, warm=time)
    assert made.estimate().rtt == 1e-6


@pytest.mark.parametrize(
    ("samples", "least"),
    [
        ([], 0.0),
        ([0.1] * 2, 0.0),  # what is blended with a guess excludes nothing
        ([0.1] * 3, 0.1 * math.exp(-3 * 1.25 * 0.02 / math.sqrt(3))),
        ([0.1] * 8, 0.1 * math.exp(-3 * 1.25 * 0.02 / math.sqrt(8))),
    ],
)
def test_what_was_measured_says_how_soon_no_answer_can_come(
    samples: list[float], least: float
) -> None:
    assert estimator(connect=samples).estimate().least == pytest.approx(least)


@given(
    st.lists(st.tuples(st.floats(1e-5, 10), st.floats(1e-5, 10)), max_size=20),
    st.floats(1e-4, 1),
    st.floats(0.05, 1),
)
def test_whatever_is_measured_the_estimate_lies_among_what_it_is_made_of(
    probes: list[tuple[float, float]], rtt: float, sigma: float
) -> None:
    made = RttEstimator(rtt=rtt, sigma=sigma)
    for connect, warm in probes:
        made.add(connect=connect, warm=warm)
    estimate = made.estimate()
    known = [seconds for probe in probes[-8:] for seconds in probe]
    if estimate.source != "measured":
        known.append(rtt)
    assert min(known) * 0.999 <= estimate.rtt <= max(known) * 1.001
    assert estimate.least <= estimate.total
    assert 0 < estimate.sd < 10
    assert estimate.service >= 0
