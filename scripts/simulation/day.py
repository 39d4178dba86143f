"""One machine, its servers and its traffic, from switching on to the end of the day.

Rule 1: stamps are taken at moments spread by chance over the whole day, the first second included.
Rule 2: a stamp with no bound promises nothing, so it can miss nothing; it counts as one with an
        infinite bound, and so against the bars of the bound.
"""

from __future__ import annotations

import asyncio
import math
from array import array
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from router.clock import UNBOUNDED, Clock
from router.clock.keeper import Keeper
from router.clock.sync import Synchroniser
from router.config.settings import ClockSettings
from simulation.loop import run
from simulation.machine import Machine
from simulation.network import Weather
from simulation.ntp import LIES, Internet, TimeServer, honest
from simulation.regions import ROUND_TRIPS, Region, make_region, traffic
from simulation.scenario import HOUR

if TYPE_CHECKING:
    from router.clock import Stamp
    from router.clock.host import Host
    from simulation.scenario import Scenario

__all__ = ["Result", "simulate"]

SERVERS = 5
PPM = 1e-6
STORM = 1 / 24
"""Of each day, an hour."""

NS = 1e9


@dataclass(slots=True)
class Result:
    """What was seen in one day, or in many.

    Attributes:
        errors: by how many seconds each stamp was off.
        bounds: by how many it said that it may be off at most; inf: it did not say.
        statuses: how many stamps had each status.
        flagged: how often a region was said to have a clock of its own.
        news: how many lines the clock wrote about steps that never were.
        polls: NTP requests sent.
        server_hours: hours, times NTP servers.
    """

    errors: array[float] = field(default_factory=lambda: array("d"))
    bounds: array[float] = field(default_factory=lambda: array("d"))
    statuses: Counter[str] = field(default_factory=Counter)
    flagged: Counter[str] = field(default_factory=Counter)
    news: int = 0
    polls: int = 0
    server_hours: float = 0.0

    def take(self, stamp: Stamp, true_ns: int) -> None:
        """Compare a stamp with the truth."""
        self.errors.append(abs(stamp.ns - true_ns) / NS)
        self.bounds.append(math.inf if stamp.bound_ns == UNBOUNDED else stamp.bound_ns / NS)
        self.statuses[stamp.status] += 1

    def add(self, other: Result) -> None:
        """Take in what was seen on another day."""
        self.errors.extend(other.errors)
        self.bounds.extend(other.bounds)
        self.statuses.update(other.statuses)
        self.flagged.update(other.flagged)
        self.news += other.news
        self.polls += other.polls
        self.server_hours += other.server_hours


def simulate(scenario: Scenario, *, seed: int, hours: float = 24.0, stamps: int = 10_000) -> Result:
    """Return what one machine sees in so many hours; the same for the same seed."""
    return run(Day(scenario, seed=seed, hours=hours).live(stamps))


class Day:
    """All parts of one world; made inside the virtual loop."""

    def __init__(self, scenario: Scenario, *, seed: int, hours: float) -> None:
        self._scenario = scenario
        self._seed = seed
        self._hours = hours
        self._result = Result(server_hours=SERVERS * hours)

    async def live(self, stamps: int) -> Result:
        """Let time pass, and take the stamps."""
        machine = self._machine()
        host = machine.host()
        clock = Clock(host=host, note=self._note)
        async with asyncio.TaskGroup() as group:
            internet = self._internet()
            tasks = [group.create_task(self._synchronise(clock, host, internet))]
            if math.isfinite(self._scenario.every):
                tasks.append(group.create_task(self._use(clock, host)))
            await self._stamp(stamps, clock, machine)
            for task in tasks:
                task.cancel()
        self._result.polls = internet.polls
        return self._result

    def _random(self, part: str) -> Random:
        return Random(f"{self._seed} {part}")

    def _machine(self) -> Machine:
        random = self._random("machine")
        rate = random.choice((-PPM, PPM)) * self._scenario.ppm
        return Machine(asyncio.get_running_loop().time, rate=rate, random=random)

    def _internet(self) -> Internet:
        random = self._random("internet")
        length = STORM * self._hours * HOUR
        storm = random.uniform(0, self._hours * HOUR - length)
        weather = Weather(storm=(storm, storm + length), blocked=self._scenario.blocked)
        servers = {}
        for number in range(SERVERS):
            lies = number < self._scenario.liars
            clock = random.choice(LIES) if lies else honest
            servers[f"ntp{number}.example.net"] = TimeServer(self._random(f"ntp{number}"), clock)
        return Internet(servers, weather)

    async def _synchronise(self, clock: Clock, host: Host, internet: Internet) -> None:
        synchroniser = Synchroniser(
            ClockSettings(servers=internet.servers),
            clock,
            random=self._random("schedule"),
            host=host,
            entropy=self._random("entropy").randbytes,
            ask=internet.ask,
        )
        await synchroniser.run()

    async def _use(self, clock: Clock, host: Host) -> None:
        keeper = Keeper(clock, host=host, told=self._told)
        regions = {name: self._region(name) for name in ROUND_TRIPS}
        random = self._random("traffic")
        await traffic(regions, keeper, every=self._scenario.every, random=random)

    def _region(self, name: str) -> Region:
        return make_region(
            ROUND_TRIPS[name],
            self._random(name),
            offset=dict(self._scenario.offsets).get(name, 0.0),
            kept=dict(self._scenario.kept).get(name, 0.0),
        )

    async def _stamp(self, stamps: int, clock: Clock, machine: Machine) -> None:
        random, loop = self._random("stamps"), asyncio.get_running_loop()
        moments = sorted(random.uniform(0, self._hours * HOUR) for _ in range(stamps))
        for moment in moments:
            await asyncio.sleep(moment - loop.time())
            self._result.take(clock.now(), machine.true_ns())

    def _note(self, _: str) -> None:
        self._result.news += 1

    def _told(self, region: str, seconds: float | None) -> None:
        if seconds is not None:
            self._result.flagged[region] += 1
