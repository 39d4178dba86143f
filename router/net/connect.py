"""Waiting for a name and for a connection, in a thread or in a task.

Rule 1: name and connection share one time limit, and the request can be abandoned meanwhile.
Rule 2: whatever ends the wait, no socket is left open but the one that is returned.
"""

from __future__ import annotations

import asyncio
import selectors
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from router.net.limit import AbandonedError, LateError
from router.net.lookup import Lookup

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from router.call import Timeouts
    from router.net.addresses import Address
    from router.net.dial import Dial
    from router.net.resolver import Resolver

__all__ = ["connected", "connected_async", "found", "found_async"]

GLANCE = 0.02
"""Seconds after which a waiting thread sees whether its request was abandoned."""
NO_ADDRESS = "the name was not looked up in time"


def _left(ends: float | None) -> float | None:
    return None if ends is None else ends - time.monotonic()


def _glance(seconds: list[float | None], timeouts: Timeouts | None) -> float | None:
    """Return how long a thread may wait before it looks around."""
    bounds = [each for each in seconds if each is not None]
    if timeouts is not None:
        bounds.append(GLANCE)
    return max(0.0, min(bounds)) if bounds else None


def found(
    resolver: Resolver, host: str, port: int, ends: float | None, timeouts: Timeouts | None
) -> tuple[Address, ...]:
    """Return a server's addresses, blocking until `ends` at most.

    Raises:
        LateError: they did not come in time.
        OSError: the name does not resolve.
    """
    asked = resolver.ask(host, port)
    if not isinstance(asked, Lookup):
        return asked
    while not asked.wait(_glance([_left(ends)], timeouts)):
        _check(ends, timeouts, NO_ADDRESS)
    return asked.result()


def connected(dial: Dial, ends: float | None, timeouts: Timeouts | None) -> socket.socket:
    """Return a connected socket that does not block, blocking until `ends` at most.

    Raises:
        LateError: no address accepted in time.
        OSError: none accepts.
    """
    try:
        while True:
            later = dial.advance()
            if dial.winner is not None:
                return dial.winner
            _check(ends, timeouts, "")
            _look(dial, _glance([later, _left(ends)], timeouts))
    except LateError:
        dial.doubt()
        raise
    finally:
        dial.close()


def _look(dial: Dial, seconds: float | None) -> None:
    with selectors.PollSelector() as selector:
        for sock in dial.pending:
            selector.register(sock, selectors.EVENT_WRITE)
        for key, _ in selector.select(seconds):
            dial.look(key.fileobj)  # type: ignore[arg-type] # it is what was registered


def _check(ends: float | None, timeouts: Timeouts | None, words: str) -> None:
    if timeouts is not None and timeouts.abandoned:
        raise AbandonedError
    left = _left(ends)
    if left is not None and left <= 0:
        raise LateError(words)


class Waking:
    """A task that waits: for time to pass, for something to happen, or to be interrupted."""

    def __init__(self, timeouts: Timeouts | None) -> None:
        self._loop = asyncio.get_running_loop()
        self._timeouts = timeouts
        self._waiter: asyncio.Future[None] | None = None
        if timeouts is not None:
            timeouts.stream = self

    def interrupt(self, _: Timeouts) -> None:
        self.wake()

    def wake(self) -> None:
        """End the wait, in the loop's own thread."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def wake_from_afar(self) -> None:
        """End the wait, from any thread."""
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self._loop.call_soon_threadsafe(self.wake)

    async def wait(self, seconds: list[float | None], begun: Callable[[], None]) -> None:
        """Wait for the least of `seconds` at most, once `begun` has said what is waited for."""
        self._waiter = self._loop.create_future()
        bound = _glance(seconds, None)
        timer = None if bound is None else self._loop.call_later(bound, self.wake)
        try:
            begun()
            await self._waiter
        finally:
            self._waiter = None
            if timer is not None:
                timer.cancel()

    def end(self) -> None:
        """Be interrupted no more."""
        if self._timeouts is not None:
            self._timeouts.stream = None


async def found_async(
    resolver: Resolver, host: str, port: int, ends: float | None, timeouts: Timeouts | None
) -> tuple[Address, ...]:
    """Return a server's addresses, until `ends` at most; raises as `found` does."""
    asked = resolver.ask(host, port)
    if not isinstance(asked, Lookup):
        return asked
    waking = Waking(timeouts)
    try:
        while not asked.wait(0):
            _check(ends, timeouts, NO_ADDRESS)
            await waking.wait([_left(ends)], lambda: asked.listen(waking, waking.wake_from_afar))
    finally:
        asked.forget(waking)
        waking.end()
    return asked.result()


async def connected_async(
    dial: Dial, ends: float | None, timeouts: Timeouts | None
) -> socket.socket:
    """Return a connected socket that does not block, until `ends` at most; raises alike."""
    waking = Waking(timeouts)
    try:
        while True:
            later = dial.advance()
            if dial.winner is not None:
                return dial.winner
            _check(ends, timeouts, "")
            await _look_async(dial, waking, [later, _left(ends)])
    except LateError:
        dial.doubt()
        raise
    finally:
        waking.end()
        dial.close()


async def _look_async(dial: Dial, waking: Waking, seconds: list[float | None]) -> None:
    loop = asyncio.get_running_loop()
    ready: list[socket.socket] = []
    watched = list(dial.pending)

    def see(sock: socket.socket) -> None:
        ready.append(sock)
        waking.wake()

    def watch() -> None:
        for sock in watched:
            loop.add_writer(sock, see, sock)

    try:
        await waking.wait(seconds, watch)
    finally:
        for sock in watched:
            loop.remove_writer(sock)
    for sock in ready:
        dial.look(sock)
