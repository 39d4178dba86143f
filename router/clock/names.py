"""Looking a host name up, which nobody can break off.

Rule 1: an address is no name: it is read at once, and no thread is started for it.
Rule 2: each look-up has a daemon thread of its own. In the loop's executor names that hang would
        keep everybody else's waiting, and the end of the loop and of the process would wait too.
Rule 3: who waits sets the limit; what is found after it, or after the loop has ended, is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from typing import NamedTuple

from router.hosts import is_address

__all__ = ["Address", "resolve"]


class Address(NamedTuple):
    """Where to send: what `getaddrinfo` says about one address."""

    family: int
    where: tuple[str | int | bytes, ...]


async def resolve(host: str, port: int) -> list[Address]:
    """Return the host's UDP addresses, the most preferred first.

    Raises:
        OSError: it cannot be resolved, or no thread can be started for it.
        UnicodeError: it cannot be written as a name of the DNS.
    """
    if is_address(host):
        return _look_up(host, port, socket.AI_NUMERICHOST)
    found: asyncio.Future[list[Address]] = asyncio.get_running_loop().create_future()
    name = f"router-name-{host}"
    thread = threading.Thread(target=_deliver, args=(found, host, port), name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as error:  # the system has no more threads, or Python is ending
        raise OSError(str(error)) from None
    return await found


def _look_up(host: str, port: int, flags: int = 0) -> list[Address]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
    return [Address(family, where) for family, _, _, _, where in found]


def _deliver(found: asyncio.Future[list[Address]], host: str, port: int) -> None:
    """Look up in this thread, and hand what comes of it to the loop of `found`."""
    outcome: list[Address] | Exception
    try:
        outcome = _look_up(host, port)
    except Exception as error:  # noqa: BLE001 - it is raised again where it is awaited
        outcome = error
    with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
        found.get_loop().call_soon_threadsafe(_settle, found, outcome)


def _settle(found: asyncio.Future[list[Address]], outcome: list[Address] | Exception) -> None:
    if found.done():
        return
    if isinstance(outcome, Exception):
        found.set_exception(outcome)
    else:
        found.set_result(outcome)
