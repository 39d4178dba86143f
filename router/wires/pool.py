"""The connections to one server, each of which carries one exchange at a time.

Rule 1: the one that was used last is used first, so that those too many grow old and go.
Rule 2: one that lay idle is looked at before it is used: it may have been closed, or have said
        something that nobody asked for. Where one turned out to be closed after all, the others are
        no better (`distrust`).
Rule 3: who waits for a connection has its turn in order; a turn that nobody takes goes on.
Rule 4: closing never waits, so that nothing can cancel it and nothing is left behind.
Rule 5: the room for a connection is taken by the Connection itself, before its stream is there.
Rule 6: what threads may do at the same time is done under the lock: arithmetic only. Looking at a
        connection, opening and closing it are done outside.
"""

from __future__ import annotations

import math
import threading
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
    from collections.abc import Callable, Collection

    from router.call import Timeouts
    from router.endpoint import Endpoint
    from router.wires.interface import Stream

__all__ = ["Connection", "Pool"]


class Connection:
    """The room for a connection; once it is open its stream, and when that was opened and used.

    Attributes:
        opened: in monotonic seconds, as `used` is.
    """

    __slots__ = ("__weakref__", "opened", "stream", "used")

    def __init__(self) -> None:
        self.stream: Any = None
        self.opened = self.used = -math.inf

    def begin(self, stream: Stream) -> None:
        """Take the stream."""
        self.stream = stream
        self.opened = self.used = time.monotonic()


class _Turn:
    """A request that waits for a connection, or for the room to open one."""

    __slots__ = ("called", "connection", "waking")

    def __init__(self, waking: Any) -> None:
        self.waking = waking
        self.called = False
        self.connection: Connection | None = None

    def call(self, connection: Connection | None) -> None:
        self.called, self.connection = True, connection
        self.waking.wake()


class Pool:
    """The connections of one event loop to one server.

    Attributes:
        core: the family's, whose exceptions it raises.
        connections: those that are open, idle or not, or being opened.
    """

    waking: Callable[[Timeouts], Any] = Waking
    backend: Callable[[Any, Any], Any] = SuspendingBackend
    holds: Callable[[], Any] = set

    def __init__(self, endpoint: Endpoint, core: Any, tls: ssl.SSLContext | None) -> None:
        self._endpoint = endpoint
        self.core = core
        self._tls = tls
        self._backend = self.backend(core, shared_resolver())
        self._most = bounds.MOST_CONNECTIONS
        self._lock = threading.RLock()  # a finalizer may give a connection back at any moment
        self._idle: deque[Connection] = deque()
        self.connections: Any = self.holds()
        self._turns: deque[_Turn] = deque()
        self._distrusted = -math.inf
        self._closed = False

    @property
    def taken(self) -> int:
        """How many requests have a connection, or wait for one."""
        return len(self.connections) - len(self._idle) + len(self._turns)

    def idle(self) -> Connection | None:
        """Return a connection that lay idle and is good; those that are not are closed."""
        while self._idle:
            with self._lock:
                connection = self._idle.pop() if self._idle else None
            if connection is None:
                break
            if self._is_good(connection):
                return connection
            self.drop(connection)
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
        while True:
            with self._lock:
                room, turn = self._room(), None
                if room is None and not self._idle:
                    turn = _Turn(self.waking(timeouts))
                    self._turns.append(turn)
            if turn is not None:
                room = await self._in_turn(turn, timeouts)
            connection = self.idle() if room is None else room  # another thread gave one back
            if connection is not None:
                return connection if connection.stream else await self._opened(connection, timeouts)

    def _room(self) -> Connection | None:
        """Take the room for a connection, if there is any; the lock is held."""
        if len(self.connections) >= self._most:
            return None
        made = Connection()
        self.connections.add(made)
        return made

    async def _in_turn(self, turn: _Turn, timeouts: Timeouts) -> Connection:
        """Wait; return a connection, or the room for a new one."""
        try:
            ends = end_of(timeouts.get("pool")) or math.inf
            while not turn.called:
                if timeouts.abandoned:
                    raise AbandonedError  # noqa: TRY301 - it ends the wait as the others do
                if (left := ends - time.monotonic()) <= 0:
                    raise LateError  # noqa: TRY301
                await turn.waking.wait([min(left, LONGEST)], _nothing)
            if turn.connection is None or self._closed:
                raise ClosedError(bounds.CLOSED)  # noqa: TRY301
        except BaseException as error:
            self._gone(turn)
            if isinstance(error, LateError | AbandonedError):
                raise self.core.PoolTimeout("no free connection in time") from error
            raise
        finally:
            turn.waking.end()
        return turn.connection

    def _gone(self, turn: _Turn) -> None:
        """Give on what was given to a request that waits no longer."""
        with self._lock:
            if not turn.called:
                self._turns.remove(turn)
        given = turn.connection
        if given is not None:
            (self.keep if given.stream else self.drop)(given)

    async def _opened(self, room: Connection, timeouts: Timeouts) -> Connection:
        """Open a connection in the room that is held for it."""
        try:
            room.begin(await self._connected(timeouts))
            if self._closed:
                raise ClosedError(bounds.CLOSED)  # noqa: TRY301
        except BaseException:
            self.drop(room)
            raise
        return room

    async def _connected(self, timeouts: Timeouts) -> Any:
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
            return
        with self._lock:
            spare = None if self._give(connection) else self._lay_aside(connection)
        if spare is not None:
            self._close(spare)

    def _give(self, connection: Connection) -> bool:
        """Give a connection to who waits for one, if anybody does; the lock is held."""
        if not self._turns:
            return False
        self._turns.popleft().call(connection)
        return True

    def _lay_aside(self, connection: Connection) -> Connection | None:
        """Return one that is too many, or too old; the lock is held."""
        self._idle.append(connection)
        oldest = self._idle[0]
        many = len(self._idle) > bounds.MOST_IDLE
        old = connection.used - oldest.used > bounds.IDLE_SECONDS
        return self._idle.popleft() if many or old else None

    def drop(self, connection: Connection) -> None:
        """Close a connection that cannot be used again; the next may open one in its room."""
        self._close(connection)
        if self._turns:
            self._call_next()

    def _close(self, connection: Connection) -> None:
        with self._lock:
            self.connections.discard(connection)
        if connection.stream is not None:
            connection.stream.sever()

    def _call_next(self) -> None:
        with self._lock:
            room = self._room() if self._turns else None
            if room is not None:
                self._turns.popleft().call(room)

    def distrust(self) -> None:
        """Use no idle connection again that is open now."""
        self._distrusted = time.monotonic()

    def close(self) -> None:
        """Close all connections; who waits for one waits no longer."""
        with self._lock:
            self._closed = True
            connections: Collection[Connection] = list(self.connections)
            self._idle.clear()
            while self._turns:
                self._turns.popleft().call(None)
        for connection in connections:
            self._close(connection)


def _nothing() -> None: ...
