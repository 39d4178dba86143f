"""The connections to one server, each of which carries one exchange at a time.

Rule 1: the one that was used last is used first, so that those too many grow old and go.
Rule 2: one that lay idle is looked at before it is used: it may have been closed, or have said
        something that nobody asked for. Where one turned out to be closed after all, the others are
        no better (`distrust`).
Rule 3: who waits for a connection has its turn in order; a turn that nobody takes goes on.
Rule 4: closing never waits, so that nothing can cancel it and nothing is left behind.
"""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from router.errors import ClosedError
from router.net.connect import Waking
from router.net.limit import LONGEST, AbandonedError, LateError, end_of
from router.net.resolver import shared_resolver
from router.net.suspending import SuspendingBackend
from router.wires import bounds

if TYPE_CHECKING:
    import ssl

    from router.call import Timeouts
    from router.endpoint import Endpoint
    from router.net.suspending import SuspendingStream

__all__ = ["Connection", "Pool"]


class Connection:
    """A stream, and when it was opened and used last, in monotonic seconds."""

    __slots__ = ("opened", "stream", "used")

    def __init__(self, stream: SuspendingStream) -> None:
        self.stream = stream
        self.opened = self.used = time.monotonic()


class _Turn:
    """A request that waits for a connection, or for the room to open one."""

    __slots__ = ("called", "connection", "waking")

    def __init__(self, timeouts: Timeouts) -> None:
        self.waking = Waking(timeouts)
        self.called = False
        self.connection: Connection | None = None

    def call(self, connection: Connection | None) -> None:
        self.called, self.connection = True, connection
        self.waking.wake()


class Pool:
    """The connections of one event loop to one server.

    Attributes:
        core: the family's, whose exceptions it raises.
        connections: those that are open, idle or not.
    """

    def __init__(self, endpoint: Endpoint, core: Any, tls: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self.core = core
        self._tls = tls
        self._backend = SuspendingBackend(core, shared_resolver())
        self._most = bounds.MOST_CONNECTIONS
        self._idle: deque[Connection] = deque()
        self.connections: set[Connection] = set()
        self._opening = 0
        self._turns: deque[_Turn] = deque()
        self._distrusted = -math.inf
        self._closed = False

    @property
    def taken(self) -> int:
        """How many requests have a connection, or wait for one."""
        return len(self.connections) - len(self._idle) + self._opening + len(self._turns)

    def idle(self) -> Connection | None:
        """Return a connection that lay idle and is good; those that are not are closed."""
        while self._idle:
            connection = self._idle.pop()
            if self._is_good(connection):
                return connection
            self._close(connection)
        return None

    def _is_good(self, connection: Connection) -> bool:
        """Return whether an exchange may begin on a connection."""
        fresh = time.monotonic() - connection.used <= bounds.IDLE_SECONDS
        trusted = connection.opened > self._distrusted
        return fresh and trusted and not connection.stream.get_extra_info("is_readable")

    async def free(self, timeouts: Timeouts) -> Connection:
        """Return a connection, waiting for it.

        Raises:
            PoolTimeout: of the core; none was free in time.
            ConnectError, ConnectTimeout: of the core; none could be opened.
            ClosedError: the pool was closed meanwhile.
        """
        if len(self.connections) + self._opening < self._most:
            self._opening += 1
        else:
            waited = await self._in_turn(timeouts)
            if waited is not None:
                return waited
        return await self._opened(timeouts)

    async def _in_turn(self, timeouts: Timeouts) -> Connection | None:
        """Wait; return a connection, or None where there is room for a new one."""
        turn = _Turn(timeouts)
        self._turns.append(turn)
        try:
            ends = end_of(timeouts.get("pool")) or math.inf
            while not turn.called:
                if timeouts.abandoned:
                    raise AbandonedError  # noqa: TRY301 - it ends the wait as the others do
                if (left := ends - time.monotonic()) <= 0:
                    raise LateError  # noqa: TRY301
                await turn.waking.wait([min(left, LONGEST)], _nothing)
        except BaseException as error:
            self._gone(turn)
            if isinstance(error, LateError | AbandonedError):
                raise self.core.PoolTimeout("no free connection in time") from error
            raise
        finally:
            turn.waking.end()
        if self._closed:
            raise ClosedError(bounds.CLOSED)
        return turn.connection

    def _gone(self, turn: _Turn) -> None:
        """Give on what was given to a request that waits no longer."""
        if not turn.called:
            self._turns.remove(turn)
        elif turn.connection is not None:
            self.keep(turn.connection)
        else:
            self._opening -= 1
            self._call_next()

    async def _opened(self, timeouts: Timeouts) -> Connection:
        """Open a connection in the room that is held for it."""
        try:
            made = Connection(await self._connected(timeouts))
        except BaseException:
            self._opening -= 1
            self._call_next()
            raise
        self._opening -= 1
        self.connections.add(made)
        if self._closed:
            self.drop(made)
            raise ClosedError(bounds.CLOSED)
        return made

    async def _connected(self, timeouts: Timeouts) -> SuspendingStream:
        origin = self._endpoint.origin
        timeout = timeouts.get("connect")
        host = self._endpoint.address or origin.host
        stream = await self._backend.connect_tcp(host, origin.port, timeout)
        if self._tls is None:
            return stream
        return await stream.start_tls(self._tls, origin.host, timeout)

    def keep(self, connection: Connection) -> None:
        """Take a connection back that can be used again."""
        connection.used = time.monotonic()
        if self._closed or (self._turns and not self._is_good(connection)):
            self.drop(connection)
        elif self._turns:
            self._turns.popleft().call(connection)
        else:
            self._lay_aside(connection)

    def _lay_aside(self, connection: Connection) -> None:
        self._idle.append(connection)
        oldest = self._idle[0]
        if (
            len(self._idle) > bounds.MOST_IDLE
            or connection.used - oldest.used > bounds.IDLE_SECONDS
        ):
            self._idle.popleft()
            self._close(oldest)

    def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used again."""
        self._close(connection)
        self._call_next()

    def _close(self, connection: Connection) -> None:
        self.connections.discard(connection)
        connection.stream.sever()

    def _call_next(self) -> None:
        """Let the next request open a connection, where there is room."""
        if self._turns and len(self.connections) + self._opening < self._most:
            self._opening += 1
            self._turns.popleft().call(None)

    def distrust(self) -> None:
        """Use no idle connection again that is open now."""
        self._distrusted = time.monotonic()

    def close(self) -> None:
        """Close all connections; who waits for one waits no longer."""
        self._closed = True
        self._idle.clear()
        while self._turns:
            self._turns.popleft().call(None)
        for connection in list(self.connections):
            self._close(connection)


def _nothing() -> None: ...
