"""The simulation of days: short ones that the clock has to pass, and worlds that it cannot."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "scripts"
QUICK = ("--quick", "--processes", "1")
LEEWAY = 1.25  # a few hours have their luck: the percentiles are asked of whole days, by the script


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """Import the script as Python does that runs it: its own folder comes first."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("simulate_clock")
    finally:
        sys.path.remove(str(SCRIPTS))


def live(script: ModuleType, scenario: Any, *, runs: int = 2, hours: float = 4.0) -> Any:
    result = script.Result()
    for seed in range(1, 1 + runs):
        result.add(script.work(script.Job(scenario, seed, hours, stamps=500)))
    return result


def missed(bars: Iterable[Any]) -> list[str]:
    return [bar.what for bar in bars if bar.figure > LEEWAY * bar.limit]


@pytest.mark.parametrize("number", range(6))
@pytest.mark.untraced
def test_a_day_with_ntp_meets_the_bars(script: ModuleType, number: int) -> None:
    scenario = script.NTP[number]
    result = live(script, scenario)

    assert missed(script.day_bars({scenario: result})) == []
    assert len(result.errors) == 1000
    assert 0 < result.polls / result.server_hours < 4


@pytest.mark.parametrize(
    "name",
    [
        "no UDP, a request in 10 s",
        "... one Date kept 0.5 s",
        "... one Date kept 1 s",
        "... one region 5 s off",
        "UDP blocked after 2 h",
    ],
)
@pytest.mark.untraced
def test_a_day_of_http_alone_meets_the_bars(script: ModuleType, name: str) -> None:
    (scenario,) = (scenario for scenario in script.HTTP if scenario.name == name)

    assert missed(script.day_bars({scenario: live(script, scenario, runs=1)})) == []


def test_dates_tell_the_time_as_soon_as_is_asked(script: ModuleType) -> None:
    trials = {case: script.date_trials(case, trials=100, seed=1) for case in script.CASES}

    assert missed(script.date_bars(trials)) == []


def test_a_seed_is_a_day_that_can_be_had_again(script: ModuleType) -> None:
    first, again, other = (
        script.simulate(script.NTP[5], seed=seed, hours=1.0, stamps=50) for seed in (1, 1, 2)
    )

    assert first == again
    assert first.errors != other.errors


def test_the_number_of_processes_makes_no_difference(script: ModuleType) -> None:
    jobs = [script.Job(script.NTP[0], seed, hours=0.5, stamps=20) for seed in (1, 2)]

    assert list(script.outcomes(script.work, jobs, 1)) == list(
        script.outcomes(script.work, jobs, 2)
    )


@pytest.mark.untraced
def test_a_majority_of_liars_is_noticed_by_the_simulation_and_fails_the_script(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lies = importlib.import_module("simulation.ntp").LIES
    monkeypatch.setattr("simulation.day.LIES", lies[:1])
    monkeypatch.setattr(script, "NTP", (dataclasses.replace(script.NTP[0], liars=3),))
    monkeypatch.setattr(script, "HTTP", ())

    assert script.main(QUICK) == 1
    output = capsys.readouterr().out
    assert "MISSED  NTP, 30 ppm, 0 of 5 lie: stamps off by more than their bound" in output


@pytest.mark.untraced
def test_the_script_shows_tables_and_succeeds_when_all_bars_are_met(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "NTP", script.NTP[:1])
    monkeypatch.setattr(script, "HTTP", ())

    assert script.main(QUICK) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("NTP, 30 ppm, 0 of 5 lie           2000 ")
    assert lines[-1] == "17 of 17 bars are met"


def test_waiting_for_what_never_happens_is_an_error(script: ModuleType) -> None:
    async def wait() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is going to happen"):
        importlib.import_module("simulation.loop").run(wait())
