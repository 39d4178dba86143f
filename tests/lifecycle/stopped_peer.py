"""A process that routes requests, to be stopped and continued by another.

    python stopped_peer.py

It reads one line of JSON: endpoints by name, the settings of the token, a deadline in seconds.
Threads and tasks then send GETs until a second line comes; it answers `ready`, and in the end one
line of JSON: what went wrong, and every order and every health that the ranking had after the
process had stood still.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from typing import Any

import httpx

import router

THREADS, TASKS = 2, 4
PAUSE = 0.005
LOOK_EVERY = 0.01
STOOD_STILL = 0.5
SETTLED = 1.5


class Watch:
    """Looks at the ranking all the time; after a stop it keeps what it sees."""

    def __init__(self, it: router.Router) -> None:
        self._it = it
        self.orders: set[tuple[str, ...]] = set()
        self.health: set[str] = set()
        self.before: tuple[str, ...] = ()
        self.stops = 0

    def run(self, done: threading.Event) -> None:
        last = time.monotonic()
        while not done.wait(LOOK_EVERY):
            now = time.monotonic()
            self.stops += now - last > STOOD_STILL
            last = now
            ranking = self._it.rank()
            order = tuple(ranked.name for ranked in ranking)
            if self.stops:
                self.orders.add(order)
                self.health |= {ranked.health for ranked in ranking}
            else:
                self.before = order


def config(given: dict[str, Any]) -> router.Config:
    token = {**given["token"], "client_secret": router.Secret(given["token"]["client_secret"])}
    return router.Config(
        endpoints=tuple(router.Endpoint(name=n, url=u) for n, u in given["endpoints"].items()),
        token=router.TokenSettings(**token),
        probe=router.Probe(every=1.0, timeout=1.0),
        failover=router.Failover(attempt_timeout=1.0, deadline=given["deadline"]),
    )


def send(it: router.Router, done: threading.Event, errors: list[str]) -> None:
    with router.Client(it) as client:
        while not done.is_set():
            try:
                client.get("/").raise_for_status()
            except httpx.HTTPError as error:
                errors.append(str(error))
            time.sleep(PAUSE)


async def send_many(it: router.Router, done: threading.Event, errors: list[str]) -> None:
    async def one(client: router.AsyncClient) -> None:
        while not done.is_set():
            try:
                (await client.get("/")).raise_for_status()
            except httpx.HTTPError as error:
                errors.append(str(error))
            await asyncio.sleep(PAUSE)

    async with router.AsyncClient(it) as client:
        await asyncio.gather(*(one(client) for _ in range(TASKS)))


def main() -> None:
    """Route until told to end."""
    errors: list[str] = []
    done = threading.Event()
    with (
        router.Router(config(json.loads(sys.stdin.readline()))) as it,
        contextlib.ExitStack() as end,
    ):
        it.wait_until_measured()
        watch = Watch(it)
        threads = [threading.Thread(target=send, args=(it, done, errors)) for _ in range(THREADS)]
        threads += [
            threading.Thread(target=lambda: asyncio.run(send_many(it, done, errors))),
            threading.Thread(target=watch.run, args=(done,)),
        ]
        for thread in threads:
            thread.start()
            end.callback(thread.join)
        end.callback(done.set)
        time.sleep(SETTLED)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
    seen = {"errors": errors, "before": watch.before, "orders": sorted(watch.orders)}
    sys.stdout.write(json.dumps({**seen, "health": sorted(watch.health), "stops": watch.stops}))


if __name__ == "__main__":
    main()
