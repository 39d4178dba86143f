"""What the router adds to a request, in CPU: pairs of blocks over a wire that answers from memory.

Rule 1: A is that wire alone, B the same with the router over it. They take turns, A B B A, and
        differences are looked at: what the wire itself takes is in neither.
        A bar is asked of the least of B less the least of A, since noise only adds; blocks are
        short and cases come round several times, so that some are spared by whoever else is at
        work. The median stands beside it.
Rule 2: CPU is the whole process's, so what the router does behind the requests is in it.
Rule 3: a case is data: a family, tasks or threads, and which parts of the router are on.
Rule 4: the bars are asked of transports, since a wire is one. The same through a library's client,
        as people use them, is shown beside: a client's own work drives the router's code and data
        out of the processor's caches, so that it takes about twice as long there.
"""

from __future__ import annotations

import asyncio
import contextlib
import cProfile
import pstats
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import router
from router.transport import AT_ONCE
from speedlab.null_wire import URL, alone, routed
from speedlab.parts import ALL, HEDGED, shared_router
from speedlab.routes import REGIONS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Function = tuple[str, int, str]
    """Its file, line and name."""

__all__ = [
    "CASES",
    "CLIENTS",
    "PARTS",
    "Amount",
    "Case",
    "Cost",
    "cost",
    "differences",
    "least_of",
    "own_times",
    "profile",
]

BENCH = str(Path(__file__).parent)
PACKAGE = str(Path(router.__file__).parent)
PATH = "/v1/models"
WARM = 200
US = 1e6


class Amount(NamedTuple):
    """How much is measured: pairs of blocks, requests of a block, and first requests."""

    pairs: int
    requests: int
    first: int = WARM


@dataclass(frozen=True, slots=True)
class Case:
    """One figure.

    Attributes:
        on: the parts that are on.
        client: whether both are asked through the library's client.
        most: µs that it may add; None: no bar.
    """

    name: str
    family: str = "httpx"
    threads: bool = False
    on: frozenset[str] = ALL
    client: bool = False
    most: float | None = None


class Cost(NamedTuple):
    """µs of CPU for a request: of the wire alone, and what the router adds: least, and median."""

    alone: float
    added: float
    usual: float


CASES = (
    Case("tasks, httpx2", "httpx2", most=45),
    Case("tasks, httpx2, hedge armed", "httpx2", on=HEDGED, most=60),
    Case("tasks, httpx", most=45),
    Case("tasks, httpx, hedge armed", on=HEDGED, most=60),
    Case("threads, httpx", threads=True, most=45),
    Case("threads, httpx, hedge armed", threads=True, on=HEDGED, most=60),
    Case("threads, httpx2", "httpx2", threads=True, most=45),
)
CLIENTS = tuple(
    replace(case, name=f"{case.name}, through its client", client=True, most=None) for case in CASES
)
PARTS = (
    Case("nothing on", "httpx2", on=frozenset()),
    *(Case(f"{part} alone", "httpx2", on=frozenset({part})) for part in sorted(HEDGED)),
)


def cost(case: Case, amount: Amount) -> Cost:
    """Return what the router adds in one case."""
    with _block(case, amount.requests) as (bare, ours):
        for block in (bare, ours):
            block(amount.first)
        pairs = [(bare(0), ours(0), ours(0), bare(0)) for _ in range(amount.pairs)]
    least = min(min(a, d) for a, _, _, d in pairs)
    ours_least = min(min(b, c) for _, b, c, _ in pairs)
    return Cost(least, ours_least - least, median(differences(pairs)))


def least_of(costs: Sequence[Cost]) -> Cost:
    """Return what several rounds tell of one case: the least of each side, and the median."""
    alone = min(cost.alone for cost in costs)
    ours = min(cost.alone + cost.added for cost in costs)
    return Cost(alone, ours - alone, median(cost.usual for cost in costs))


def differences(blocks: list[tuple[float, float, float, float]]) -> list[float]:
    """Return by how much the inner two of each four are above the outer two, for one of them."""
    return [(b + c - a - d) / 2 for a, b, c, d in blocks]


def profile(case: Case, requests: int, lines: int) -> list[tuple[str, float, float]]:
    """Return where the router's time goes: a function, calls and µs a request.

    The µs are a function's own, with those of the libraries that it calls. The profiler makes
    every call dearer, so shares count and not the figures.
    """
    profiler = cProfile.Profile(time.thread_time)  # not the time of whoever else is at work
    with _block(case, requests) as (_, ours):
        ours(WARM)
        profiler.enable()
        ours(0)
        profiler.disable()
    stats: Any = pstats.Stats(profiler)
    found = [
        (f"{Path(file).relative_to(PACKAGE)}:{name}", calls / requests, own * US / requests)
        for (file, _, name), calls, own in own_times(stats.stats, (PACKAGE, BENCH))
        if file.startswith(PACKAGE)
    ]
    return sorted(found, key=lambda line: -line[2])[:lines]


def own_times(
    stats: Mapping[Function, tuple[int, int, float, float, Any]], folders: tuple[str, ...]
) -> Iterator[tuple[Function, int, float]]:
    """Yield each function of these folders with its calls, and its seconds without the others'."""
    own = {function: seen[3] for function, seen in stats.items() if function[0].startswith(folders)}
    for function in own.copy():
        for caller, (*_, together) in stats[function][4].items():
            if caller in own and caller != function:
                own[caller] -= together
    for function, seconds in own.items():
        yield function, stats[function][1], seconds


@contextlib.contextmanager
def _block(case: Case, requests: int) -> Iterator[tuple[Callable[[int], float], ...]]:
    """Give what sends a block of requests and returns µs of CPU for one, without and with us.

    The argument is another number of requests; 0: as many as the block has.
    """
    with contextlib.ExitStack() as stack:
        urls = [URL.replace("r0", f"r{number}") for number in range(len(REGIONS))]
        shared = shared_router(urls, case.on, stack)
        clients = (
            alone(case.family, threads=case.threads),
            routed(case.family, shared, threads=case.threads),
        )
        if case.threads:
            for client in clients:
                stack.callback(client.close)
            yield tuple(_of_threads(_asked(client, case), requests) for client in clients)
        else:
            runner = stack.enter_context(asyncio.Runner())
            yield tuple(_of_tasks(_asked(client, case), requests, runner) for client in clients)
            for client in clients:
                runner.run(client.aclose())


def _asked(client: Any, case: Case) -> Callable[[], Any]:
    """Return what sends one request: through the client, or to its transport."""
    if case.client:
        return partial(client.get, PATH)
    request, transport = client.build_request("GET", PATH), client._transport  # noqa: SLF001
    request.extensions = {**request.extensions, AT_ONCE: True}
    ask = transport.handle_request if case.threads else transport.handle_async_request
    return partial(ask, request)


def _of_threads(ask: Callable[[], Any], requests: int) -> Callable[[int], float]:
    def block(count: int) -> float:
        count = count or requests
        began = time.process_time()
        for _ in range(count):
            ask()
        return (time.process_time() - began) * US / count

    return block


def _of_tasks(
    ask: Callable[[], Any], requests: int, runner: asyncio.Runner
) -> Callable[[int], float]:
    async def block(count: int) -> float:
        began = time.process_time()
        for _ in range(count):
            await ask()
        return (time.process_time() - began) * US / count

    return lambda count: runner.run(block(count or requests))
