"""The loop that measures endpoints, on the background thread, for sync and async clients alike.

Rule 1: it reads views from the pool and hands results back to it, and Dates to whoever keeps the
        time; it decides nothing itself.
Rule 2: a probe whose time was mostly lost, because nobody could look (`pulse`), is made again at
        once, but only once: a busy host must not be made busier. A failure that is ours once more
        is not told.
Rule 3: a process that stood still has everything due at once when it goes on; that is spread over a
        second, and makes one probe of each endpoint, whatever it missed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Protocol

from router.errors import ConfigError
from router.latency.agenda import Agenda
from router.latency.probe import Measured, ProbeError, measure
from router.pulse import pulse_of

if TYPE_CHECKING:
    import random
    import ssl
    from collections.abc import Awaitable, Callable

    from router.balance.pool import EndpointPool
    from router.config.settings import Probe
    from router.endpoint import Endpoint

__all__ = ["Prober", "Times", "probe_all", "probe_once"]

logger = logging.getLogger("router.latency")

SHORTEST_NAP = 0.01
MOST_AT_ONCE = 64
APART = 0.1
MOST_TRIES = 2
STOOD_STILL = 1.0  # seconds, and so long is what was due meanwhile spread


class Times(Protocol):
    """Who learns the time from probes, and may have them aimed."""

    def dated(self, name: str, date: float, *, asked: float, received: float) -> None:
        """Take the Date of an endpoint's answer, in Unix seconds, made between two boot times."""

    def aim(self, name: str) -> Callable[[float], float] | None:
        """Return what tells how long to wait before asking, as for `measure`; None: not at all."""


class Results(Protocol):
    """Who learns what probes found."""

    def probed(self, name: str, *, connect: float, warm: float, now: float) -> None:
        """Take a probe's figures in seconds."""

    def probe_failed(self, name: str, words: str, *, reached: bool = False, now: float) -> None:
        """Take a probe's failure; `reached` tells whether the server answered at all."""


class Turns(Results, Protocol):
    """Who shares probes with other processes."""

    heard: Callable[[str, float], None]
    """Told of an endpoint that another process has just probed, and when."""
    doubted: Callable[[str, float], None]
    """Told of an endpoint that should be probed once more, and when."""

    async def mine(self, name: str) -> bool:
        """Return whether this process is to probe the endpoint now."""
        ...


class Prober:
    """Probes the pool's endpoints as `schedule` says."""

    def __init__(
        self,
        pool: EndpointPool,
        settings: Probe,
        *,
        tls: Callable[[], ssl.SSLContext],
        chance: random.Random,
        times: Times | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._pool = pool
        self._turns = turns
        self._results: Results = pool if turns is None else turns
        self._settings = settings
        self._tls = tls
        self._chance = chance
        self._times = times
        self._agenda = Agenda(every=settings.every, chance=chance)
        if turns is not None:
            turns.heard, turns.doubted = self._agenda.ended, self._agenda.hurry
        self._ended = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()
        self._lost = 0.0

    async def run(self) -> None:
        """Probe until cancelled."""
        self._ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        with (pulse := pulse_of(loop)).watched(loop):
            self._lost = pulse.lost(time.monotonic())
            while True:
                now = time.monotonic()
                nap = max(self._start_due(now, pulse.lost(now)) - now, SHORTEST_NAP)
                self._ended.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), nap)

    def _start_due(self, now: float, lost: float) -> float:
        """Start what is due; return the instant to look again."""
        views, names = self._pool.probe_views(now), self._pool.names()
        due, wake = self._agenda.due(views, names, now)
        stood_still, self._lost = lost - self._lost > STOOD_STILL, lost
        for name in due[: MOST_AT_ONCE - len(self._running)]:
            after = self._chance.uniform(0.0, STOOD_STILL) if stood_still else 0.0
            self._start(name, now, after)
        return wake

    def _start(self, name: str, now: float, after: float) -> None:
        endpoint = self._pool.endpoint(name)
        if endpoint is not None:
            self._agenda.began(name, now)
            task = asyncio.get_running_loop().create_task(self._probe(endpoint, after))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _probe(self, endpoint: Endpoint, after: float) -> None:
        try:
            if after > 0:
                await asyncio.sleep(after)
            if self._turns is None or await self._turns.mine(endpoint.name):
                results, settings = self._results, self._settings
                await probe_once(results, endpoint, settings, tls=self._tls, times=self._times)
        except ConfigError as error:  # a file of `tls:`; the next probe looks again
            self._pool.probe_failed(endpoint.name, str(error), now=time.monotonic())
        finally:
            self._agenda.ended(endpoint.name, time.monotonic())
            self._ended.set()


async def probe_once(
    pool: Results,
    endpoint: Endpoint,
    settings: Probe,
    *,
    tls: Callable[[], ssl.SSLContext],
    times: Times | None = None,
) -> bool:
    """Probe one endpoint, tell the pool and `times`, and return whether it answered."""
    name = endpoint.name
    context = tls() if endpoint.origin.scheme == "https" else None
    aim = times.aim(name) if times is not None else None
    measured, ours = await _undisturbed(lambda: measure(endpoint, settings, tls=context, aim=aim))
    now = time.monotonic()
    if isinstance(measured, ProbeError):
        if not ours:
            pool.probe_failed(name, str(measured), reached=measured.reached, now=now)
        return False
    pool.probed(name, connect=measured.connect, warm=measured.warm, now=now)
    if times is not None and measured.date is not None:
        times.dated(name, measured.date, asked=measured.asked, received=measured.heard)
    return True


async def _undisturbed(
    probe: Callable[[], Awaitable[Measured]],
) -> tuple[Measured | ProbeError, bool]:
    """Probe, once more if need be; return what came, and whether most of its time was lost."""
    loop = asyncio.get_running_loop()
    outcome: Measured | ProbeError
    with (pulse := pulse_of(loop)).watched(loop):
        for _ in range(MOST_TRIES):
            began = time.monotonic()
            before = pulse.lost(began)
            try:
                outcome = await probe()
            except ProbeError as error:
                outcome = error
            now = time.monotonic()
            if not (ours := pulse.lost(now) - before > (now - began) / 2):
                break
    return outcome, ours


async def probe_all(
    pool: EndpointPool,
    settings: Probe,
    *,
    tls: Callable[[], ssl.SSLContext],
    count: int,
    told: Callable[[str, bool], None],
    times: Times | None = None,
) -> None:
    """Probe every endpoint `count` times, 100 ms apart; `told` hears each name and outcome.

    Raises:
        ConfigError: a file of `tls:` cannot be read.
    """
    endpoints = pool.endpoints()
    gate = asyncio.Semaphore(MOST_AT_ONCE)

    async def probe(place: int, endpoint: Endpoint) -> None:
        await asyncio.sleep(APART * place / len(endpoints))  # a handshake delays others' timing
        for left in reversed(range(count)):
            async with gate:
                answered = await probe_once(pool, endpoint, settings, tls=tls, times=times)
                told(endpoint.name, answered)
            await asyncio.sleep(APART if left else 0)

    await asyncio.gather(*(probe(place, endpoint) for place, endpoint in enumerate(endpoints)))
