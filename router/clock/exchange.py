"""Asking NTP servers over the network.

Rule 1: one connected socket an exchange, so that the kernel drops what others send, and a fresh
        cookie for each, so that no reply counts twice.
Rule 2: a stray datagram does not end the wait; the time limit does, and it covers the look-up of
        the name, every address tried and every datagram.
Rule 3: a name's addresses are asked one after the other, families in turn, a little apart and
        without giving up on those before: the first valid reply wins. A kiss code is the whole
        server's word, whichever address it comes from.
Rule 4: all servers are asked at once, so a round lasts no longer than one server may.
Rule 5: an unreachable server is an answer in words, not an exception.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.clock.host import boottime
from router.clock.names import resolve
from router.clock.ntp import NoSampleError, Sample, StrayError, make_request, parse_reply
from router.hosts import parse_server

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
    from typing import Any

    from router.clock.names import Address

__all__ = ["Answer", "query", "query_all"]

TIMEOUT = 1.0
ROUND = 1.5
MOST_ADDRESSES = 8
STAGGER = 0.25
LARGEST = 1024
SILENCE = {"name", "network", "timeout"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking one server brought: a sample, or the reason in words and perhaps a kiss code."""

    server: str
    sample: Sample | None = None
    reason: str = ""
    kiss: str | None = None


async def query_all(
    servers: Iterable[str],
    *,
    near: float,
    heard: Callable[[Answer], None] = lambda _: None,
    timeout: float = TIMEOUT,
    boottime: Callable[[], float] = boottime,
    entropy: Callable[[int], bytes] = os.urandom,
    within: float = ROUND,
) -> list[Answer]:
    """Ask all servers at once; tell `heard` of each answer as it comes, return them in order.

    Args:
        servers: each `host` or `host:port`.
        near: Unix time, right to 68 years.
        heard: is told in the thread of this loop.
        timeout: seconds that one server may take.
        boottime: the clock of the samples.
        entropy: where the random bits of the requests come from.
        within: seconds that all may take together.
    """

    async def ask(server: str) -> Answer:
        try:
            async with asyncio.timeout(within):
                sample = await query(
                    server, near=near, timeout=timeout, boottime=boottime, entropy=entropy
                )
        except NoSampleError as error:
            answer = Answer(server, reason=str(error), kiss=error.kiss)
        except TimeoutError:
            answer = Answer(server, reason="no valid reply before the end of the round")
        else:
            answer = Answer(server, sample)
        heard(answer)
        return answer

    return await asyncio.gather(*(ask(server) for server in servers))


async def query(
    server: str,
    *,
    near: float,
    timeout: float = TIMEOUT,
    boottime: Callable[[], float] = boottime,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Sample:
    """Return a sample of `server`, from whichever of its addresses replies first.

    Args:
        server: `host` or `host:port`.
        near: Unix time, right to 68 years.
        timeout: seconds for everything together.
        boottime: the clock of the sample.
        entropy: where the random bits of the requests come from.

    Raises:
        ValueError: `server` cannot be parsed.
        NoSampleError: no valid reply came, and why.
    """
    host, port = parse_server(server)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    addresses = await _resolve(host, port, deadline)
    stagger = min(STAGGER, (deadline - loop.time()) / (len(addresses) + 1))
    exchanges = (_exchange(where, deadline, near, boottime, entropy) for where in addresses)
    return await _race(exchanges, stagger, NoSampleError("name", f"{host} has no address"))


async def _resolve(host: str, port: int, deadline: float) -> list[Address]:
    """Return the host's addresses, the most preferred first, the families in turn."""
    try:
        async with asyncio.timeout_at(deadline):
            return _interleaved(await resolve(host, port))
    except TimeoutError:
        raise NoSampleError("name", f"the name {host} was not resolved in time") from None
    except (OSError, UnicodeError):
        raise NoSampleError("name", f"the name {host} cannot be resolved") from None


def _interleaved(addresses: Sequence[Address]) -> list[Address]:
    """Return the first few different addresses, one of each family in turn."""
    families: dict[int, list[Address]] = {}
    for address in dict.fromkeys(addresses):
        families.setdefault(address.family, []).append(address)
    rows = itertools.zip_longest(*families.values())
    return [address for row in rows for address in row if address][:MOST_ADDRESSES]


async def _race(
    exchanges: Iterable[Coroutine[Any, Any, Sample]], stagger: float, failure: NoSampleError
) -> Sample:
    """Return the first sample; start the next exchange when one fails or `stagger` s later."""
    waiting = iter(exchanges)
    running: set[asyncio.Task[Sample]] = set()
    try:
        while True:
            following = next(waiting, None)
            if following is not None:
                running.add(asyncio.create_task(following))
            if not running:
                raise failure
            limit = None if following is None else stagger
            done, running = await asyncio.wait(
                running, timeout=limit, return_when=asyncio.FIRST_COMPLETED
            )
            outcome = _outcome(done, failure)
            if isinstance(outcome, Sample):
                return outcome
            failure = outcome
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)  # until their sockets are closed


def _outcome(
    done: Collection[asyncio.Task[Sample]], failure: NoSampleError
) -> Sample | NoSampleError:
    """Return the sample among what has ended, or else the failure that says most.

    Raises:
        NoSampleError: a kiss code came, which ends it for the whole server.
    """
    samples = [task.result() for task in done if task.exception() is None]
    for error in (task.exception() for task in done):
        if not isinstance(error, NoSampleError | None):
            raise error
        if error and error.kiss:
            raise error
        if error and (failure.code in SILENCE or error.code not in SILENCE):
            failure = error
    return samples[0] if samples else failure


async def _exchange(
    address: Address,
    deadline: float,
    near: float,
    boottime: Callable[[], float],
    entropy: Callable[[int], bytes],
) -> Sample:
    """Send one request, and wait until loop time `deadline` for the reply that proves itself."""
    request, cookie = make_request(entropy)
    stray: StrayError | None = None
    try:
        async with asyncio.timeout_at(deadline):
            with _connected(address) as connection:
                t1 = boottime()
                connection.send(request)
                while True:
                    data = await asyncio.get_running_loop().sock_recv(connection, LARGEST)
                    t4 = boottime()
                    try:
                        return parse_reply(data, expected_origin=cookie, t1=t1, t4=t4, near=near)
                    except StrayError as error:
                        stray = error
                    await asyncio.sleep(0)  # a flood must not keep the loop from its timers
    except TimeoutError:
        found = f"; what came was {stray}" if stray else ""
        raise NoSampleError("timeout", f"no valid reply in time{found}") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "the network failed"
        raise NoSampleError("network", reason) from None


def _connected(address: Address) -> socket.socket:
    """Return a non-blocking UDP socket that hears nobody but `address`."""
    connection = socket.socket(address.family, socket.SOCK_DGRAM)
    try:
        connection.setblocking(False)
        connection.connect(address.where)
    except OSError:
        connection.close()
        raise
    return connection
