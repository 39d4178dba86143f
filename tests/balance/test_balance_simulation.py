"""The simulation of traffic: short worlds that the router has to pass, and what it is judged by."""

from __future__ import annotations

import dataclasses
import importlib
import math
import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from router.options import NO_OPTIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import ModuleType

SCRIPTS = Path(__file__).parents[2] / "scripts"
SEED = 101
OURS, ORACLE = "ours", "oracle"
LEEWAY = 1.1  # a minute has its luck: percentiles are asked of whole worlds, by the script


@pytest.fixture(scope="module")
def script() -> Iterator[ModuleType]:
    """Import the script as Python does that runs it: its own folder comes first."""
    sys.path.insert(0, str(SCRIPTS))
    try:
        yield importlib.import_module("simulate")
    finally:
        sys.path.remove(str(SCRIPTS))


def part(name: str) -> Any:
    return importlib.import_module(f"traffic.{name}")


def scenario(script: ModuleType, name: str, **changes: Any) -> Any:
    (found,) = (scenario for scenario in script.SCENARIOS if scenario.name == name)
    return dataclasses.replace(found, **changes)


def with_fault(world: Any, **fault: Any) -> Any:
    """Return the world with one fault of its nearest region."""
    near, *others = world.sites
    faulty = dataclasses.replace(near, faults=(part("servers").Fault(name="fault", **fault),))
    return dataclasses.replace(world, sites=(faulty, *others))


def figures(script: ModuleType, world: Any, *policies: str, seed: int = SEED) -> dict[str, Any]:
    jobs = {policy: script.Job(world, policy, seed) for policy in policies}
    return {policy: script.measure(world, [script.work(job)]) for policy, job in jobs.items()}


def missed(bars: Iterable[Any]) -> list[str]:
    return [bar.what for bar in bars if bar.figure > LEEWAY * bar.limit]


# -- worlds that the router has to pass


SHORT = {
    "near can carry all": {"seconds": 40},
    "near cannot carry all": {"seconds": 50},
    "one client of 5 a second": {"seconds": 240},
    "black hole": {"seconds": 70},
}


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.untraced
def test_a_short_world_meets_the_bars(script: ModuleType, name: str) -> None:
    world = scenario(script, name, **SHORT[name])
    seen = figures(script, world, OURS, ORACLE, "random")

    assert missed(script.bars(world, seen)) == []
    assert seen[ORACLE].mean < seen["random"].mean


@pytest.mark.untraced
def test_a_bad_policy_misses_the_bars_and_fails_the_script(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = scenario(script, "near can carry all", seconds=20)
    monkeypatch.setattr(script, "SCENARIOS", (world,))
    monkeypatch.setitem(script.POLICIES, OURS, part("peers").Random)

    policies = ("--policy", OURS, "--policy", "nearest", "--policy", ORACLE)

    assert script.main(["--quick", "--processes", "1", *policies]) == 1
    output = capsys.readouterr().out
    assert "MISSED  near can carry all: mean, over the oracle's" in output
    assert "MISSED  near can carry all: p99, over that of nearest" in output


@pytest.mark.untraced
def test_the_script_shows_a_table_draws_a_chart_and_succeeds(
    script: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    world = scenario(script, "near can carry all", seconds=40)
    world = with_fault(world, start=15, end=20, refuses=True)
    monkeypatch.setattr(script, "SCENARIOS", (world,))
    path = tmp_path / "chart.svg"
    policies = ("--policy", OURS, "--policy", "random")

    assert script.main(["--seeds", "1", "--processes", "1", "--chart", str(path), *policies]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[3:5]] == [OURS, "random"]
    assert lines[-3] == "3 of 3 bars are met"
    words = [element.text for element in ET.parse(path).iter() if element.text]
    assert {"ash fault", OURS, "random", "oak 220 ms", "p99"} <= set(words)


@pytest.mark.untraced
def test_a_seed_is_a_world_that_can_be_had_again(script: ModuleType) -> None:
    world = scenario(script, "near cannot carry all", seconds=5, clients=3)
    first, again, other = (script.work(script.Job(world, OURS, seed)) for seed in (1, 1, 2))

    assert first == again
    assert first.took != other.took


def test_the_number_of_processes_makes_no_difference(script: ModuleType) -> None:
    world = scenario(script, "near can carry all", seconds=2)
    jobs = [script.Job(world, policy, SEED) for policy in (OURS, ORACLE)]

    assert list(script.outcomes(script.work, jobs, 1)) == list(
        script.outcomes(script.work, jobs, 2)
    )


@pytest.mark.untraced
def test_requests_come_at_the_same_moments_whatever_the_policy(script: ModuleType) -> None:
    world = scenario(script, "near can carry all", seconds=3)
    moments = [
        sorted(script.work(script.Job(world, policy, SEED)).began) for policy in script.POLICIES
    ]

    assert all(each == moments[0] for each in moments)


# -- the servers


@pytest.mark.parametrize(
    ("fault", "took", "status"),
    [
        ({}, 0.110, 200),
        ({"slower": 5.0}, 0.510, 200),
        ({"rtt": 6.0}, 0.160, 200),
        ({"fails": 1.0}, 0.11, 500),
        ({"stalls": 1.0}, 1.110, 200),
        ({"refuses": True}, 0.010, None),
        ({"silent": True}, math.inf, 200),
    ],
)
def test_a_fault_does_what_it_says(
    script: ModuleType, fault: dict[str, Any], took: float, status: int | None
) -> None:
    servers = part("servers")
    faults = (servers.Fault(name="fault", start=10, end=20, **fault),)
    site = servers.Site(name="near", rtt=0.010, slots=2, noise=0.0, faults=faults)
    server = servers.Server(site, Random(1))

    assert server.serve(15.0, 0.1) == (pytest.approx(15.0 + took), status)
    assert server.serve(25.0, 0.1) == (pytest.approx(25.110), 200)


def test_requests_queue_for_the_slots_that_are_left(script: ModuleType) -> None:
    servers = part("servers")
    faults = (servers.Fault(name="collapsed", start=10, end=20, slots=1),)
    site = servers.Site(name="near", rtt=0.0, slots=2, noise=0.0, faults=faults)
    server = servers.Server(site, Random(1))

    assert [server.serve(5.0, 1.0).at for _ in range(3)] == [6.0, 6.0, 7.0]
    assert server.expected(15.0, 1.0) == 16.0
    assert [server.serve(15.0, 1.0).at for _ in range(3)] == [16.0, 17.0, 18.0]
    assert [server.serve(25.0, 1.0).at for _ in range(2)] == [26.0, 26.0]


# -- the policies


class Played:
    """A policy that is played by hand, beside no traffic."""

    def __init__(self, script: ModuleType, policy: str) -> None:
        world = scenario(script, "near can carry all")
        self.world = part("world").World(world, seed=SEED, policy=None)
        self.peer = script.POLICIES[policy](self.world, 0)
        self.now = self.world.now()

    def choose(self, *tried: str) -> Any:
        return self.peer.choose(NO_OPTIONS, tried=tried, now=self.now)

    def request(self, *tried: str, took: float = 0.05, failure: str | None = None) -> str:
        """Return which region a request goes to; it ends before the next begins."""
        pick = self.choose(*tried)
        self.now += took
        if failure is None:
            self.peer.answered(pick, took, now=self.now)
        else:
            self.peer.failed(pick, failure, reached=True, now=self.now)
        pick.give_back()
        pick.give_back()
        return str(pick.endpoint.name)


@pytest.fixture
def play(script: ModuleType) -> Iterator[Callable[[str], Played]]:
    """Make policies to play by hand."""
    made: list[Played] = []

    def make(policy: str) -> Played:
        made.append(Played(script, policy))
        return made[-1]

    yield make
    for played in made:
        played.world.engine.close()


@pytest.mark.parametrize(
    "policy",
    [
        "oracle",
        "random",
        "round-robin",
        "nearest",
        "litellm",
        "mongodb",
        "least-requests",
        "peak-ewma",
        "peak-ewma-of-all",
    ],
)
def test_what_a_request_tried_comes_last_whatever_the_policy(
    play: Callable[[str], Played], policy: str
) -> None:
    played = play(policy)
    played.world.engine.run(1.0)  # heartbeats
    tried: list[str] = []
    while played.peer.has_fresh(NO_OPTIONS, tried=tried, now=played.now):
        tried.append(played.request(*tried))

    assert sorted(tried) == sorted(played.peer.names)
    assert played.choose(*tried).again
    assert sum(played.peer.in_flight.values()) == 1


def test_round_robin_takes_turns(play: Callable[[str], Played]) -> None:
    played = play("round-robin")
    first, second = ([played.request() for _ in range(6)] for _ in range(2))

    assert first == second
    assert sorted(first) == sorted(played.peer.names)


def test_the_nearest_stays_the_nearest_whatever_happens(play: Callable[[str], Played]) -> None:
    played = play("nearest")

    assert {played.request(failure="answered 500") for _ in range(20)} == {"ash"}


def test_litellm_goes_by_the_average_of_the_last_ten(play: Callable[[str], Played]) -> None:
    played = play("litellm")
    speeds = {name: 0.1 * place for place, name in enumerate(played.peer.names, 1)}
    for name, speed in speeds.items():
        others = speeds.keys() - {name}
        assert played.request(*others, took=speed) == name
    assert {played.request(took=0.1) for _ in range(10)} == {"ash"}
    assert played.request(took=1.5) == "ash"

    assert played.request() == "birch"


def test_litellm_counts_a_timeout_as_a_thousand_seconds(play: Callable[[str], Played]) -> None:
    played = play("litellm")
    for name in played.peer.names:
        played.request(*(set(played.peer.names) - {name}), took=0.1)
    first = played.request(failure="no answer in time", took=2.0)

    assert first not in {played.request(took=0.1) for _ in range(50)}


def test_litellm_leaves_alone_what_failed_more_than_half_of_a_minute(
    play: Callable[[str], Played],
) -> None:
    played = play("litellm")
    played.now = 1200.0  # a minute begins
    others = played.peer.names[1:]
    for _ in range(4):
        assert played.request(*others, failure="answered 500") == "ash"
        assert played.peer.usable("ash", played.now)
    played.request(*others, failure="answered 500")

    assert not played.peer.usable("ash", played.now + 4.9)
    assert played.peer.usable("ash", played.now + 5.1)


def test_mongodb_draws_from_those_within_its_window(play: Callable[[str], Played]) -> None:
    played = play("mongodb")
    played.peer._averages = dict(
        zip(played.peer.names, (0.1, 0.11, 0.114, 0.12, 0.2), strict=False)
    )
    picks = [played.choose() for _ in range(300)]

    assert {pick.endpoint.name for pick in picks} == {"ash", "birch", "cedar"}
    assert max(played.peer.in_flight.values()) <= 110, "the less busy of two is taken"


def test_mongodb_averages_heartbeats_and_forgets_who_refuses(
    play: Callable[[str], Played],
) -> None:
    played = play("mongodb")
    server = played.world.servers["ash"]
    fault = part("servers").Fault(name="gone", start=15, end=22, refuses=True)
    server.site = dataclasses.replace(server.site, faults=(fault,), noise=0.0)
    known = []
    for second in (1.0, 21.0, 41.0):
        played.world.engine.run(second)
        known.append("ash" in played.peer._averages)
    rtt = played.peer._averages["ash"]

    assert known == [True, False, True]
    assert rtt == pytest.approx(0.012)
    assert played.world.result.probes == 5 * 6
    played.peer.ended("ash", 2.0, "no answer in time", 1041.0)
    played.peer.ended("ash", 0.01, "answered 500", 1041.0)
    assert played.peer.usable("ash", 1041.0), "an error of one request says nothing"
    played.peer.ended("ash", 0.01, "connection refused", 1041.0)
    assert not played.peer.usable("ash", 1041.0)
    played.world.engine.run(42.0)
    assert played.peer.usable("ash", 1042.0), "looked at again soon"


def test_the_less_busy_of_two_is_taken(play: Callable[[str], Played]) -> None:
    played = play("least-requests")
    busiest = played.peer.names[0]
    played.peer.in_flight[busiest] = 100

    assert busiest not in {played.choose().endpoint.name for _ in range(50)}


def test_peak_ewma_jumps_to_a_peak_and_comes_down_slowly(play: Callable[[str], Played]) -> None:
    peer = (played := play("peak-ewma")).peer
    peer.ended("ash", 0.1, None, played.now)
    peer.ended("ash", 0.5, None, played.now)
    peak = peer.load("ash", played.now)
    peer.in_flight["ash"] = 1

    assert peak == 0.5
    assert peer.load("ash", played.now) == 1.0
    assert peer.load("ash", played.now + 10.0) == pytest.approx(1.0 / math.e)
    peer.in_flight["birch"] = 1
    assert peer.load("birch", played.now) > 1e6, "busy, and nobody knows how fast"


def test_peak_ewma_puts_aside_after_five_failures_in_a_row(play: Callable[[str], Played]) -> None:
    peer = (played := play("peak-ewma-of-all")).peer
    others = peer.names[1:]
    for _ in range(5):
        assert peer.usable("ash", played.now)
        played.request(*others, failure="answered 500")

    assert not peer.usable("ash", played.now + 2.4)
    assert peer.usable("ash", played.now + 5.1)
    played.now += 5.1
    trial = played.choose(*others)
    assert not peer.usable("ash", played.now), "one request decides"
    peer.answered(trial, 0.1, now=played.now)
    trial.give_back()
    assert peer.usable("ash", played.now)


def test_the_oracle_takes_what_would_answer_first(play: Callable[[str], Played]) -> None:
    played = play("oracle")
    played.world.servers["ash"].free = [0.5] * 8

    assert played.request() == "birch"


# -- what is counted


def attempts(*sent: tuple[float, int]) -> Any:
    result = part("result").Result()
    for at, region in sent:
        result.sent(at, region, 0)
        result.ended(at, at + 0.1, region)
    return result


def test_a_flap_is_a_change_of_what_most_traffic_goes_to(script: ModuleType) -> None:
    def window(number: int, *regions: int) -> list[tuple[float, int]]:
        return [(10.0 * number + place, region) for place, region in enumerate(regions)]

    steady, spread, other = (0,) * 8, (0, 1, 2, 0, 1, 2), (1,) * 7 + (0, 0)
    measures = part("measures")

    for expected, windows in (
        (0, (steady, spread, steady)),
        (1, (steady, spread, other)),
        (2, (steady, other, steady)),
        (0, (steady, (1, 1, 1, 1), steady)),
    ):
        sent = [at for number, regions in enumerate(windows, 1) for at in window(number, *regions)]
        assert measures.flaps(attempts(*sent), clients=1) == expected


def test_what_meets_a_black_hole_is_counted_until_traffic_has_left(script: ModuleType) -> None:
    world = with_fault(scenario(script, "black hole"), start=60, end=90, silent=True)
    before = [(20.0 + second, 0) for second in range(40)]
    met = [(60.1, 0), (60.2, 0), (60.3, 1), (60.4, 0)]
    trials = [(70.0, 0), (80.0, 0), (95.0, 0)]
    (hole,) = part("measures").holes(world, attempts(*before, *met, *trials))

    assert hole == (3, 2, pytest.approx(0.1 * world.rate))


def test_a_peer_that_lets_requests_fail_is_not_better(script: ModuleType) -> None:
    world = scenario(script, "near can carry all", seconds=12)
    seen = figures(script, world, OURS, "nearest")
    quick = dataclasses.replace(seen["nearest"], mean=0.001, p99=0.001)

    for errors, expected in ((0.0, 2), (0.001, 0)):
        peer = dataclasses.replace(quick, errors=errors)
        bars = script.bars(world, {OURS: seen[OURS], "nearest": peer})
        assert len(missed(bars)) == expected


def test_flaps_are_asked_of_a_world_of_near_equals(script: ModuleType) -> None:
    world = scenario(script, "8 hours of noise")
    calm = figures(script, dataclasses.replace(world, seconds=12), OURS)[OURS]
    restless = dataclasses.replace(calm, flaps=9.0, switches=9.0, hours=8.0)

    assert missed(script.bars(world, {OURS: restless})) == [
        "8 hours of noise: flaps of the favourite an hour",
    ]
