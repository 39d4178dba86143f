"""What ten thousand endpoints cost: memory, the slowest decisions, the start, and the file.

Rule: whatever may take for ever is given some seconds, and says how far it came.
"""

from __future__ import annotations

import gc
import socket
import tempfile
import threading
import time
import tracemalloc
from collections import deque
from contextlib import contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml

import router
from router.config import load
from router.options import NO_OPTIONS
from routing_bench.world import ELAPSED, HERE, Probes, endpoints, new_pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.balance.pool import Choice, EndpointPool
    from routing_bench.world import Placed

__all__ = ["Memory", "Stream", "load_file", "memory", "start", "stream"]

PROBES = 8
PATIENCE = 20.0
SAMPLE = 200
EVERY = 0.001
PROBE_EVERY = 0.01
PROBES_A_SORT = 50
BY_THEN = 2e3
UNDER_WAY = round(ELAPSED / EVERY)


class Memory(NamedTuple):
    """Bytes of state an endpoint, as made and as used; and the share of probes that were taken."""

    made: float
    used: float
    share: float


def memory(known: Placed) -> Memory:
    """Make a pool, have every endpoint probed eight times and, as by a sample, answer once."""
    wanted = PROBES * len(known)
    gc.collect()
    tracemalloc.start()
    try:
        began, _ = tracemalloc.get_traced_memory()
        pool = new_pool(known)
        made = (_traced() - began) / len(known)
        fed = Probes(pool, known).feed_until(count(1e3, EVERY), wanted, PATIENCE)
        pool.rerank(BY_THEN)
        probed = (_traced() - began) / len(known)
        answer = _answer(pool, list(known)[:SAMPLE])
    finally:
        tracemalloc.stop()
    return Memory(made, probed + answer, fed / wanted)


def _traced() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _answer(pool: EndpointPool, names: list[str]) -> float:
    """Return the bytes of an answer; what is kept ready for a constraint is no endpoint's state."""
    asked = [router.Options(regions=name) for name in names]
    for options in asked:
        pool.choose(options, tried=(), now=BY_THEN).give_back()
    before = _traced()
    for options in asked:
        choice = pool.choose(options, tried=(), now=BY_THEN)
        pool.answered(choice, ELAPSED, now=BY_THEN + ELAPSED)
        choice.give_back()
    del choice
    return (_traced() - before) / len(names)


class Stream(NamedTuple):
    """Seconds of single calls, in ascending order: of choose, and of a clock for comparison."""

    choose: list[float]
    clock: list[float]


def stream(known: Placed, length: float) -> Stream:
    """Choose every millisecond while a thread hands over probes and earlier choices are answered.

    The pauses matter: at full speed a pause of the pool would delay one choice and be outvoted by
    the thousands that follow it.
    """
    pool = new_pool(known)
    under_way: deque[Choice] = deque()
    figures = Stream([], [])
    with _probing(pool, known):
        until = time.monotonic() + length
        while (now := time.monotonic()) < until:
            under_way.append(_timed_choice(pool, now, figures))
            if len(under_way) > UNDER_WAY:
                earlier = under_way.popleft()
                pool.answered(earlier, ELAPSED, now=time.monotonic())
                earlier.give_back()
            time.sleep(EVERY)
    return Stream(*map(sorted, figures))


def _timed_choice(pool: EndpointPool, now: float, figures: Stream) -> Choice:
    began = time.perf_counter()
    choice = pool.choose(NO_OPTIONS, tried=(), now=now)
    chosen = time.perf_counter()
    time.time_ns()
    ended = time.perf_counter()
    figures.choose.append(chosen - began)
    figures.clock.append(ended - chosen)
    return choice


@contextmanager
def _probing(pool: EndpointPool, known: Placed) -> Iterator[None]:
    """Hand over a probe every 10 ms and sort twice a second, in a thread as the background's."""
    probes, ended = Probes(pool, known), threading.Event()

    def run() -> None:
        for turn in count():
            if ended.wait(PROBE_EVERY):
                break
            probes.feed([time.monotonic()])
            if turn % PROBES_A_SORT == 0:
                pool.rerank(time.monotonic())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    yield
    ended.set()
    thread.join()


def start(number: int) -> float:
    """Return the seconds from a Config to the first choice, with background and probes running."""
    with _refusing() as url:
        made = tuple(replace(e, url=f"{url}/{e.name}") for e in endpoints(number))
        config = router.Config(endpoints=made, geo=router.GeoSettings(here=HERE))
        gc.collect()
        began = time.perf_counter()
        with router.Router(config) as routing:
            routing.pool.choose(NO_OPTIONS, tried=(), now=time.monotonic())
            return time.perf_counter() - began


@contextmanager
def _refusing() -> Iterator[str]:
    """Give a URL that refuses every connection: probes are sent, and reach nobody."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"https://127.0.0.1:{taken.getsockname()[1]}"


def load_file(number: int) -> tuple[float, float]:
    """Return the seconds of loading a file of so many endpoints, and those of its YAML alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "routes.yaml"
        path.write_text(_document(number), encoding="utf-8")
        gc.collect()
        began = time.perf_counter()
        config = load(path)
        loaded = time.perf_counter()
        assert len(config.endpoints) == number
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
        return loaded - began, time.perf_counter() - loaded


def _document(number: int) -> str:
    entries = (
        f"  - name: {e.name}\n    url: {e.url}\n    region: {e.region}\n    tags: [eu, gdpr]\n"
        for e in endpoints(number)
    )
    return "".join(["version: 1\nendpoints:\n", *entries])
