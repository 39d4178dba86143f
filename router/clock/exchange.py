"""Asking NTP servers over the network.

Rule 1: one connected socket an exchange, so that the kernel drops what others send, and a fresh
        cookie for each, so that no reply counts twice.
Rule 2: a stray datagram does not end the wait; the time limit does, and it covers the look-up of
        the name, every address tried and every datagram.
Rule 3: all servers are asked at once, so a round lasts no longer than one server may.
Rule 4: an unreachable server is an answer in words, not an exception.
"""

from __future__ import annotations

import asyncio
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from router.clock.clock import boottime
from router.clock.ntp import NoSampleError, Sample, StrayError, make_request, parse_reply
from router.hosts import parse_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Answer", "query", "query_all"]

TIMEOUT = 1.0
LARGEST = 1024


class Address(NamedTuple):
    """Where to send: what `getaddrinfo` says about one address."""

    family: int
    where: tuple[str | int | bytes, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What asking one server brought: a sample, or the reason in words and perhaps a kiss code."""

    server: str
    sample: Sample | None = None
    reason: str = ""
    kiss: str | None = None


async def query(
    server: str,
    *,
    near: float,
    timeout: float = TIMEOUT,
    boottime: Callable[[], float] = boottime,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Sample:
    """Return a sample of `server`, tried by its first address of each family.

    Args:
        server: `host` or `host:port`.
        near: Unix time, right to 68 years.
        timeout: seconds for everything together.
        boottime: the clock of the sample.
        entropy: where the random bits of the request come from.

    Raises:
        ValueError: `server` cannot be parsed.
        NoSampleError: no valid reply came, and why.
    """
    host, port = parse_server(server)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    addresses = await _resolve(host, port, deadline)
    failure = NoSampleError("name", f"{host} has no address")
    for tried, address in enumerate(addresses):
        share = (deadline - loop.time()) / (len(addresses) - tried)
        try:
            return await _exchange(address, loop.time() + share, near, boottime, entropy)
        except NoSampleError as error:
            if error.kiss:
                raise
            failure = error
    raise failure


async def _resolve(host: str, port: int, deadline: float) -> list[Address]:
    """Return the host's first address of each family, in the order that the system prefers."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout_at(deadline):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except TimeoutError:
        raise NoSampleError("name", f"the name {host} was not resolved in time") from None
    except (OSError, UnicodeError):
        raise NoSampleError("name", f"the name {host} cannot be resolved") from None
    first: dict[int, Address] = {}
    for family, _, _, _, where in found:
        first.setdefault(family, Address(family, where))
    return list(first.values())


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


async def query_all(
    servers: Iterable[str],
    *,
    near: float,
    heard: Callable[[Answer], None] = lambda _: None,
    timeout: float = TIMEOUT,
    boottime: Callable[[], float] = boottime,
    entropy: Callable[[int], bytes] = os.urandom,
) -> list[Answer]:
    """Ask all servers at once; tell `heard` of each answer as it comes, return them in order."""

    async def ask(server: str) -> Answer:
        try:
            sample = await query(
                server, near=near, timeout=timeout, boottime=boottime, entropy=entropy
            )
        except NoSampleError as error:
            answer = Answer(server, reason=str(error), kiss=error.kiss)
        else:
            answer = Answer(server, sample)
        heard(answer)
        return answer

    return await asyncio.gather(*(ask(server) for server in servers))
