from __future__ import annotations

import math

import pytest

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
        ([0.010] * 5 + [0.500] * 3, 0.010),
        ([0.900] * 8 + [0.010] * 8, 0.010),  # the window holds eight
        ([0.010] * 8 + [0.900] * 4, 0.455),  # half and half: the middle
        ([0.010] * 8 + [0.900] * 5, 0.900),
    ],
)
def test_the_median_of_the_last_eight_decides(samples: list[float], rtt: float) -> None:
    estimate = estimator(connect=samples).estimate()
    assert estimate.rtt == pytest.approx(rtt)
    assert estimate.samples == min(8, len(samples))


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
def test_an_edge_shows_in_connects_far_shorter_than_requests(
    connect: float, warm: float, *, edge: bool, rtt: float, service: float
) -> None:
    estimate = estimator(connect=[connect] * 3, warm=[warm] * 3).estimate()
    assert estimate.behind_edge is edge
    assert estimate.rtt == pytest.approx(rtt)
    assert estimate.service == pytest.approx(service)


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
