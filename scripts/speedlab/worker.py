"""A client's process: python worker.py SPEC reads turns as lines of JSON and answers each.

Rule 1: the first line says {"ready": versions} or {"absent": why}.
Rule 2: a turn is some time at one cell. What is sent first in it is not counted: connections may
        have ended meanwhile.
Rule 3: between turns nothing is sent, and the loop stands still.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from speedlab.answers import IDLE
from speedlab.cells import AT_ONCE, Cell
from speedlab.clients import KINDS
from speedlab.cores import CLIENTS, settle
from speedlab.routes import AbsentError

if TYPE_CHECKING:
    from collections.abc import Callable

    from speedlab.clients import Client

__all__ = ["idle_costs", "serve"]

SHOWN = ("httpx", "httpx2", "aiohttp", "httpx-aiohttp", "httpx-retries", "openai", "litellm")
FIRST = 4
PER_MB = 1024 if sys.platform != "darwin" else 1024 * 1024


class Worker:
    """One row's client, and the loop or the threads that it runs in."""

    def __init__(self, kind: str, urls: list[str], arguments: dict[str, Any]) -> None:
        self._make: Callable[[], Client] = lambda: KINDS[kind](urls, **arguments)
        self._runner = asyncio.Runner()
        self._pool = ThreadPoolExecutor(max(AT_ONCE))
        self._regions = len(urls)
        self.client = self._run(self._made)

    async def _made(self) -> Client:
        return self._make()

    def _run(self, task: Callable[[], Any]) -> Any:
        return self._runner.run(task())

    def turn(self, cell: Cell, seconds: float, client: Client | None = None) -> dict[str, float]:
        """Send for some seconds; return µs of time and of CPU for a request, and the peak's MB."""
        client = client or self.client
        if seconds:
            self._send(client, cell, 0.0, max(1, FIRST // cell.at_once))
        cpu, began = time.process_time(), time.perf_counter()
        count = self._send(client, cell, seconds, 1)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / PER_MB
        return {"count": count, "wall": wall * 1e6 / count, "cpu": cpu * 1e6 / count, "peak": peak}

    def _send(self, client: Client, cell: Cell, seconds: float, least: int) -> int:
        if client.threads:
            return _in_threads(self._pool, client, cell, seconds, least)
        count: int = self._run(lambda: _in_tasks(client, cell, seconds, least))
        return count

    def idle(self, cell: Cell, seconds: float, pairs: int) -> dict[str, float]:
        """Return what idle connections to all other regions cost: ratios of time and CPU."""
        turns: dict[bool, list[dict[str, float]]] = {False: [], True: []}
        for number in range(pairs):
            clients = {busy: self._run(self._made) for busy in (True, False)}
            self._run(lambda made=clients[True]: _hold(made, self._regions))  # type: ignore[misc]
            for busy in (False, True, True, False) if number % 2 else (True, False, False, True):
                turns[busy].append(self.turn(cell, seconds, clients[busy]))
            for client in clients.values():
                self._run(lambda client=client: _close(client))  # type: ignore[misc]
        return {name: idle_costs(turns[True], turns[False], name) for name in ("wall", "cpu")}

    def close(self) -> None:
        """End the client."""
        self._run(lambda: _close(self.client))
        self._pool.shutdown()


def idle_costs(
    ones: list[dict[str, float]], others: list[dict[str, float]], quantity: str
) -> float:
    """Return how many times the others the ones took: the least over the least.

    Turns are many and short, in the order ABBA; what others do on the machine only adds.
    """
    return min(turn[quantity] for turn in ones) / min(turn[quantity] for turn in others)


async def _in_tasks(client: Client, cell: Cell, seconds: float, least: int) -> int:
    until, count = time.perf_counter() + seconds, 0

    async def lane() -> None:
        nonlocal count
        mine = 0
        while mine < least or time.perf_counter() < until:
            await client.send(cell)
            mine += 1
            count += 1

    await asyncio.gather(*(lane() for _ in range(cell.at_once)))
    return count


def _in_threads(
    pool: ThreadPoolExecutor, client: Client, cell: Cell, seconds: float, least: int
) -> int:
    until = time.perf_counter() + seconds

    def lane(_: int) -> int:
        mine = 0
        while mine < least or time.perf_counter() < until:
            client.send(cell)
            mine += 1
        return mine

    if cell.at_once == 1:
        return lane(0)
    return sum(pool.map(lane, range(cell.at_once)))


async def _hold(client: Client, regions: int) -> None:
    """Leave idle connections open to every region but the first."""
    assert client.hold is not None
    await asyncio.gather(*(client.hold(n) for n in range(1, regions) for _ in range(IDLE)))


async def _close(client: Client) -> None:
    ended = client.close()
    if inspect.isawaitable(ended):
        await ended


def _versions() -> dict[str, str]:
    """Return the version of each library that was imported here."""
    loaded = {name.partition(".")[0] for name in sys.modules}
    return {name: metadata.version(name) for name in SHOWN if name.replace("-", "_") in loaded}


def serve(spec: dict[str, Any]) -> None:
    """Answer until standard input ends; what libraries print goes to standard error."""
    settle(CLIENTS)
    out, sys.stdout = sys.stdout, sys.stderr

    def tell(answer: object) -> None:
        print(json.dumps(answer), file=out, flush=True)

    try:
        worker = Worker(spec["kind"], spec["urls"], spec["arguments"])
        worker.turn(Cell(1, 1000, False), 0.0)
    except (ImportError, AbsentError) as absent:
        tell({"absent": str(absent)})
        return
    tell({"ready": _versions()})
    for line in sys.stdin:
        asked = json.loads(line)
        cell, seconds = Cell(*asked["cell"]), asked["seconds"]
        if "pairs" in asked:
            tell(worker.idle(cell, seconds, asked["pairs"]))
        else:
            tell(worker.turn(cell, seconds))
    worker.close()


if __name__ == "__main__":
    serve(json.loads(sys.argv[1]))
