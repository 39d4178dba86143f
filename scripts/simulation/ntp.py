"""NTP servers, honest and lying, and what asking them takes.

Rule 1: an honest server's clock wanders as far as its root dispersion says, and its path is its
        own: the truth is within its bound, and often not near the middle.
Rule 2: a liar promises as much as an honest server. Some lies are plain, some hide next to the
        truth, some grow at the very rate by which bounds grow.
Rule 3: requests and replies are bytes, made and parsed by the code under test.
"""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

from router.clock.exchange import Answer
from router.clock.ntp import NoSampleError, make_request, parse_reply
from router.testing.ntp import make_reply
from simulation.machine import START
from simulation.network import Path, Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from router.clock.ntp import Sample

__all__ = ["LIES", "Internet", "TimeServer", "honest"]

ONE_WAY = (0.005, 0.080)
QUEUEING = (0.0005, 0.010)
ADMITTED = (0.001, 0.010)
WANDER = (3600.0, 24 * 3600.0)
THINKING = (10e-6, 1e-3)
FAR = 2.0
BEYOND_BOUND = 0.030
RAMP = 100e-6


def honest(admitted: float, random: Random) -> Callable[[float], float]:
    """Return the wander of a clock that keeps its promise, and goes to its very limit."""
    turn, phase = 2 * math.pi / random.uniform(*WANDER), random.uniform(0, 2 * math.pi)
    return lambda now: admitted * math.sin(turn * now + phase)


def far(_: float, __: Random) -> Callable[[float], float]:
    """Return a clock that is 2 s ahead for ever."""
    return lambda _: FAR


def near(admitted: float, random: Random) -> Callable[[float], float]:
    """Return a clock that is off by a little more than it admits."""
    off = random.choice((-1, 1)) * (admitted + BEYOND_BOUND)
    return lambda _: off


def ramp(_: float, random: Random) -> Callable[[float], float]:
    """Return a clock that starts right and runs wrong."""
    rate = random.choice((-RAMP, RAMP))
    return lambda now: rate * now


def jump(_: float, random: Random) -> Callable[[float], float]:
    """Return a clock that is 2 s off in any direction whenever it is looked at."""
    return lambda _: random.choice((-FAR, FAR))


LIES = (far, near, ramp, jump)


class TimeServer:
    """One server at the end of its path.

    Args:
        random: its path and its clock.
        clock: what kind of clock it has.
    """

    def __init__(
        self,
        random: Random,
        clock: Callable[[float, Random], Callable[[float], float]] = honest,
    ) -> None:
        self._random = random
        self._path = Path(
            there=random.uniform(*ONE_WAY),
            back=random.uniform(*ONE_WAY),
            queueing=random.uniform(*QUEUEING),
            random=random,
        )
        self._admitted = random.uniform(*ADMITTED)
        self._offset = clock(self._admitted, random)

    async def answer(self, request: bytes, weather: Weather) -> bytes:
        """Return the reply when it arrives; a lost packet never does."""
        now = asyncio.get_running_loop().time
        await self._path.try_to_travel(self._path.there, weather)
        received = START + now() + self._offset(now())
        sent = received + self._random.uniform(*THINKING)
        reply = make_reply(request, received=received, sent=sent, root_dispersion=self._admitted)
        await asyncio.sleep(sent - received)
        await self._path.try_to_travel(self._path.back, weather)
        return reply


class Internet:
    """Stands in for `query_all`.

    Attributes:
        polls: how many requests were sent.
    """

    def __init__(self, servers: dict[str, TimeServer], weather: Weather) -> None:
        self._servers = servers
        self._weather = weather
        self.polls = 0

    @property
    def servers(self) -> tuple[str, ...]:
        """The names of all servers."""
        return tuple(self._servers)

    async def ask(
        self,
        servers: Iterable[str],
        *,
        near: float,
        heard: Callable[[Answer], None],
        timeout: float,
        boottime: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> list[Answer]:
        """Ask all servers at once; tell `heard` of each answer as it comes, return all."""

        async def ask(server: str) -> Answer:
            self.polls += 1
            try:
                async with asyncio.timeout(timeout):
                    sample = await self._exchange(server, near, boottime, entropy)
            except TimeoutError:
                answer = Answer(server, reason="no valid reply in time")
            except NoSampleError as error:
                answer = Answer(server, reason=str(error), kiss=error.kiss)
            else:
                answer = Answer(server, sample)
            heard(answer)
            return answer

        return await asyncio.gather(*(ask(server) for server in servers))

    async def _exchange(
        self,
        server: str,
        near: float,
        boottime: Callable[[], float],
        entropy: Callable[[int], bytes],
    ) -> Sample:
        request, cookie = make_request(entropy)
        t1 = boottime()
        reply = await self._servers[server].answer(request, self._weather)
        t4 = boottime()
        return parse_reply(reply, expected_origin=cookie, t1=t1, t4=t4, near=near)
