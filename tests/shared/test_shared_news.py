"""What processes tell each other of endpoints, what is believed, and who probes."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Any

import pytest
from redis_server import redis_server
from sharing_bench import Bench, bench, until

from router.balance.health import Standing
from router.balance.pool import EndpointPool
from router.config.settings import Failover
from router.endpoint import Endpoint
from router.geo.prior import Prior
from router.options import NO_OPTIONS
from router.shared.news import Heard, Opinions, believed, read_heading, write_heading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from redis_server import RedisServer

    from router.balance.pool import Choice
    from router.shared.gossip import Gossip
    from router.shared.turns import Turns

NAMES = ("a", "b", "c")
IDLE = Standing(-1e9, 0.0, -1e9, 0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        yield running


class Process:
    """A pool of three endpoints that gossips and takes turns."""

    def __init__(self, url: str, **settings: Any) -> None:
        self.bench = Bench(url, vantage="here", **settings)
        endpoints = {
            name: (Endpoint(name=name, url=f"https://{name}.test"), prior(place))
            for place, name in enumerate(NAMES)
        }
        self.pool = EndpointPool(endpoints, Failover(), chance=random.Random(1))
        self.gossip: Gossip = self.bench.sharing.gossip(self.pool)
        self.turns: Turns = self.bench.sharing.turns(self.pool)
        self.bench.start()

    def health(self, name: str) -> str:
        rows = {row.name: row.health for row in self.pool.ranking(time.monotonic())}
        return rows[name]

    def send(self, name: str) -> Choice:
        others = [n for n in NAMES if n != name]
        choice = self.pool.choose(NO_OPTIONS, tried=others, now=time.monotonic())
        assert choice.endpoint.name == name
        return choice

    def fails(self, name: str) -> None:
        for _ in range(5):
            choice = self.send(name)
            self.pool.failed(choice, "it was refused", reached=False, now=time.monotonic())
            choice.give_back()

    def answers(self, name: str) -> None:
        choice = self.send(name)
        self.pool.answered(choice, 0.01, now=time.monotonic())
        choice.give_back()

    def mine(self, name: str) -> bool:
        return self.bench.background.spawn(self.turns.mine(name)).result(10)


def prior(place: int) -> Prior:
    return Prior(0.01 * (place + 1), 0.5, None, "a test")


@pytest.fixture
def fleet(server: RedisServer) -> Iterator[list[Process]]:
    processes = [Process(server.url) for _ in range(3)]
    yield processes
    for process in processes:
        process.bench.background.stop()


def test_an_outage_that_one_found_is_known_to_all(fleet: list[Process]) -> None:
    fleet[0].fails("a")
    for other in fleet[1:]:
        assert until(lambda other=other: other.health("a") == "ejected") < 1.0  # type: ignore[misc]
        assert other.health("b") == "healthy"


def test_hearsay_is_not_passed_on_and_ends_with_a_probe(fleet: list[Process]) -> None:
    fleet[0].fails("a")
    until(lambda: fleet[1].health("a") == "ejected" and fleet[2].health("a") == "ejected")
    fleet[0].bench.background.stop()
    time.sleep(0.6)
    tellers = fleet[1].gossip._heard.tellers("a", time.monotonic())
    assert tellers <= {fleet[0].bench.sharing.member.name}
    fleet[1].pool.probed("a", connect=0.01, warm=0.01, now=time.monotonic())
    assert fleet[1].health("a") == "healthy"


def test_ones_own_eyes_come_first(fleet: list[Process]) -> None:
    fleet[1].answers("a")
    fleet[0].fails("a")
    until(lambda: fleet[2].health("a") == "ejected")
    time.sleep(0.3)
    assert fleet[1].health("a") == "healthy"


def test_one_broken_process_ejects_nothing_for_all(fleet: list[Process]) -> None:
    fleet[0].fails("a")
    until(lambda: fleet[1].health("a") == "ejected")
    fleet[0].fails("b")  # so most are out there: that is its own network
    for other in fleet[1:]:
        assert until(lambda other=other: other.health("a") == "healthy") < 1.0  # type: ignore[misc]
        assert other.health("b") == "healthy"


def test_who_serves_again_for_one_serves_again_for_all(fleet: list[Process]) -> None:
    fleet[0].fails("a")
    until(lambda: fleet[1].health("a") == "ejected")
    fleet[0].pool.probed("a", connect=0.01, warm=0.01, now=time.monotonic())
    assert until(lambda: fleet[1].health("a") == "healthy") < 1.0


def test_a_retry_after_is_everybodys(fleet: list[Process]) -> None:
    choice = fleet[0].send("b")
    fleet[0].pool.cool(choice, 30.0, now=time.monotonic())
    choice.give_back()
    for other in fleet[1:]:
        assert until(lambda other=other: other.health("b") == "cooling") < 1.0  # type: ignore[misc]


def test_one_process_probes_and_the_others_take_its_result(fleet: list[Process]) -> None:
    assert [process.mine("a") for process in fleet] == [True, False, False]
    heard: list[str] = []
    fleet[1].turns.heard = lambda name, _: heard.append(name)
    fleet[0].turns.probed("a", connect=0.02, warm=0.021, now=time.monotonic())
    view = fleet[1].pool.probe_views(time.monotonic())["a"]
    assert view.samples == 0
    assert until(lambda: fleet[1].pool.probe_views(time.monotonic())["a"].samples == 1) < 1.0
    assert heard == ["a"]
    assert until(lambda: fleet[2].mine("a")) < 1.2  # the next round is anybody's


def test_a_probe_in_vain_asks_for_a_second_opinion(fleet: list[Process]) -> None:
    doubted: list[str] = []
    fleet[2].turns.doubted = lambda name, _: doubted.append(name)
    fleet[0].turns.probe_failed("a", "refused", now=time.monotonic())
    until(lambda: doubted == ["a"])
    assert not fleet[2].pool.probe_views(time.monotonic())["a"].down
    fleet[1].turns.probe_failed("a", "refused", now=time.monotonic())
    until(lambda: fleet[2].pool.probe_views(time.monotonic())["a"].down)


def test_those_who_stand_elsewhere_probe_for_themselves(server: RedisServer) -> None:
    with bench(server.url, vantage="x") as one, bench(server.url, vantage="y") as two:
        pool = EndpointPool({}, Failover(), chance=random.Random(1))
        turns = [b.sharing.turns(pool) for b in (one, two)]
        one.start()
        two.start()
        spawned = zip((one, two), turns, strict=True)
        assert [b.background.spawn(t.mine("a")).result(10) for b, t in spawned] == [True, True]


def test_without_the_store_everybody_probes(fleet: list[Process], server: RedisServer) -> None:
    server.stop()
    assert [process.mine("a") for process in fleet] == [True, True, True]


def test_garbage_on_the_board_is_passed_over(fleet: list[Process], server: RedisServer) -> None:
    near = "router:v1:{news:here}:board"
    probes = "router:v1:{probes:here}:board"
    for key in (near, probes):
        for line in ("x", "1 2 3", "99999999999999999 1 99999999999999999 1 nan inf x"):
            server.cli("hset", key, "a", line)
    fleet[0].fails("a")
    until(lambda: fleet[1].health("a") == "ejected")
    assert fleet[1].health("b") == "healthy"


def test_what_is_believed() -> None:
    heard = Heard()
    heard.told("p1", "a", until=10.0)
    assert believed(heard, "a", IDLE, population=3, now=5.0)
    assert not believed(heard, "a", IDLE, population=3, now=11.0)
    answered = Standing(-1e9, 0.0, 4.0, 0)
    assert not believed(heard, "a", answered, population=3, now=5.0)
    failing = Standing(-1e9, 0.0, 4.0, 1)
    assert believed(heard, "a", failing, population=3, now=5.0)


def test_who_says_that_most_are_out_needs_a_second_witness() -> None:
    heard = Heard()
    for name in ("a", "b"):
        heard.told("p1", name, until=10.0)
    assert not believed(heard, "a", IDLE, population=3, now=5.0)
    heard.told("p2", "a", until=10.0)
    assert believed(heard, "a", IDLE, population=3, now=5.0)
    assert not believed(heard, "b", IDLE, population=3, now=5.0)


def test_two_processes_in_a_row_have_to_fail() -> None:
    opinions = Opinions()
    assert opinions.take("a", "p1", well=False, now=0.0) == "doubt"
    assert opinions.take("a", "p1", well=False, now=1.0) == "doubt"
    assert opinions.take("a", "p2", well=False, now=2.0) == "bad"
    assert opinions.take("a", "p3", well=True, now=3.0) == "good"
    assert opinions.take("a", "p2", well=False, now=4.0) == "doubt"
    assert opinions.take("a", "p1", well=False, now=20.0) == "doubt"


def test_headings_hold_any_words() -> None:
    assert read_heading(write_heading("out", "host:1:x", "us east"), 3) == [
        "out",
        "host:1:x",
        "us east",
    ]
    assert read_heading("nonsense", 3) is None
