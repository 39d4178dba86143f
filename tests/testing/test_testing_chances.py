"""Faults of some: by seeded chance, or of the first few, and never of a probe."""

from __future__ import annotations

import httpx
import pytest

from router.testing import Region, Regions
from router.testing.faults import (
    CloseHandshake,
    Cut,
    Delay,
    Fault,
    Garbage,
    HangConnect,
    Refuse,
    Reset,
    Silent,
    Sometimes,
    Stall,
    Times,
)


def outcomes(region: Region, count: int, **headers: str) -> str:
    """Return a letter for each request: y answered, n not."""
    letters = ""
    with httpx.Client(timeout=2.0) as client:
        for _ in range(count):
            try:
                client.get(region.url, headers=headers)
            except httpx.TransportError:
                letters += "n"
            else:
                letters += "y"
    return letters


def seen(fault: Fault, count: int = 20, **headers: str) -> str:
    with Regions(near=0.0) as regions:
        regions["near"].fault = fault
        return outcomes(regions["near"], count, **headers)


def test_the_first_few_are_hit_and_none_after_them() -> None:
    assert seen(Times(Reset(), 3), 6) == "nnnyyy"
    assert seen(Times(CloseHandshake(), 2), 4) == "nnyy"


def test_chance_is_the_same_for_the_same_seed() -> None:
    half = seen(Sometimes(Cut(), share=0.5, seed=7))
    assert half == seen(Sometimes(Cut(), share=0.5, seed=7))
    assert half != seen(Sometimes(Cut(), share=0.5, seed=8))
    assert 4 <= half.count("n") <= 16


def test_setting_a_fault_again_starts_its_chance_and_its_count_anew() -> None:
    fault = Times(Garbage(), 1)
    with Regions(near=0.0) as regions:
        for _ in range(2):
            regions["near"].fault = fault
            assert outcomes(regions["near"], 2) == "ny"


def test_some_of_some_is_fewer() -> None:
    assert seen(Times(Sometimes(Reset(), share=0.5, seed=1), 10)).count("n") < 10
    assert seen(Sometimes(Times(Reset(), 2), share=1.0), 4) == "nnyy"


def test_a_probe_is_hit_by_whole_faults_only() -> None:
    agent = "region-router/0 probe"
    assert seen(Times(Reset(), 3), 4, **{"User-Agent": agent}) == "yyyy"
    assert seen(Reset(), 2, **{"User-Agent": agent}) == "nn"


def test_probes_do_not_count_as_requests() -> None:
    with Regions(near=0.0) as regions:
        near = regions["near"]
        outcomes(near, 2, **{"User-Agent": "region-router/0 probe"})
        outcomes(near, 3)
        assert (near.requests, near.probes, len(near.received)) == (3, 2, 3)


def test_a_share_of_the_answers_stalls() -> None:
    draws = Stall(seconds=1.0, share=0.25, seed=3).draws()
    drawn = [next(draws) for _ in range(400)]
    assert set(drawn) == {None, Delay(1.0)}
    assert 70 < drawn.count(Delay(1.0)) < 130


def test_a_stall_delays_the_answers_that_chance_picks() -> None:
    with Regions(near=0.0) as regions, httpx.Client(timeout=0.2) as client:
        regions["near"].fault = Stall(seconds=30.0, share=1.0)
        with pytest.raises(httpx.ReadTimeout):
            client.get(regions["near"].url)


@pytest.mark.parametrize("fault", [Refuse(), HangConnect()])
def test_what_the_kernel_answers_cannot_be_left_to_chance(fault: Fault) -> None:
    with pytest.raises(TypeError, match="every connection, or none"):
        Sometimes(fault, share=0.5)


def test_faults_are_equal_by_what_they_say() -> None:
    assert Times(Reset(at_byte=3), 2) == Times(Reset(at_byte=3), 2)
    assert repr(Sometimes(Silent(), 0.5, 1)) == (
        "Sometimes(fault=Silent(executed=False), share=0.5, seed=1)"
    )
