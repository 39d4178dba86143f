"""The face towards httpx: a transport whose every request is routed.

Rule 1: a transport translates: a family's request into a Call, an Answer into a family's response,
        our errors into exceptions that are also the family's. It decides nothing.
Rule 2: several transports may share one Router, and with it token, limit, clock and learning; each
        has its own connections.
Rule 3: a transport that made its Router closes it; one that was given a Router leaves it open.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import httpx

from router.attempt import Trace
from router.call import Answer, Body, Call, Once
from router.errors import CallerError, ClosedError, OptionsError, RouterError
from router.failover.verdict import Verdict, verdict_of_status
from router.families import Family, family, load_for_tasks
from router.flow import route
from router.limits.permit import UNLIMITED
from router.options import CURRENT, Options
from router.ports import AsyncioPort, BlockingPort, run
from router.repeats import FAILED, refuse_repeated, remember
from router.router import Router
from router.standby import Standby
from router.streams.course import Course
from router.wellformed import IDEMPOTENCY_KEY
from router.wires.choice import AsyncWires, Wires

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from router.config.settings import Config
    from router.lease import Lease
    from router.ports import Port

__all__ = ["AsyncRouting", "AsyncTransport", "Routing", "SyncRouting", "Transport"]

AT_ONCE = "router.at_once"
"""The extension of a request whose answer its client reads at once (`client`)."""
BEGAN = "router.began"
"""The extension that says when its client sent it, in monotonic seconds: redirects keep it."""
NO_EXTENSIONS: Mapping[str, Any] = {}
NO_TIMEOUT = "timeout: give seconds, more than 0, or None"
MOST_TIMEOUTS = 256
OURS = frozenset({"router", "timeout", "target", "sni_hostname", AT_ONCE, BEGAN})


class Routing:
    """What both kinds of transport do: translate."""

    family_name: ClassVar[str] = "httpx"
    _port: Port

    def __init__(self, config: str | Path | Config | Router) -> None:
        """Route by a configuration file, a Config, or a Router that others use too."""
        self._owned = not isinstance(config, Router)
        self.router = config if isinstance(config, Router) else Router(config)
        self._family: Family = family(self.family_name)
        self._standby = Standby(
            lambda: self.router.config,
            self.router.desk,
            empty=self._family.http.ByteStream(b""),
            now=self.router.now,
        )
        self._bytes = self._family.http.ByteStream
        self._made = self._family.http.Response
        self._known_timeouts: dict[Any, Mapping[str, float | None]] = {}

    def _call(self, request: Any) -> Call:
        if FAILED.get() is not None:
            refuse_repeated(request)
        router, given, url = self.router, request.extensions, request.url
        options = given["router"] if "router" in given else CURRENT.get()
        if not isinstance(options, Options):
            raise OptionsError('extensions["router"] takes a router.Options')
        path = router.addresses.relative(url.scheme, url.host, url.port, url.raw_path)
        headers, keyed, problem = router.sieve.sift(request.method, request.headers.raw)
        if problem is not None:
            raise CallerError(problem) from self._family.http.LocalProtocolError(problem)
        if options.idempotency_key is not None:
            headers = [pair for pair in headers if pair[0].lower() != IDEMPOTENCY_KEY]
            headers.append((b"Idempotency-Key", options.idempotency_key.encode("ascii")))
            keyed = True
        failover = router.config.failover
        now = given.get(BEGAN) or router.now()
        deadline = now + (options.deadline or failover.deadline)
        stream = request.stream
        if isinstance(stream, self._bytes):
            body = Body(stream, replayable=True)
        else:
            body = Body(Once(stream, until=deadline, now=router.now), replayable=False)
        others = NO_EXTENSIONS
        if not given.keys() <= OURS:
            others = {name: value for name, value in given.items() if name not in OURS}
        return Call(
            request.method,
            path,
            headers,
            body,
            self._timeouts(given.get("timeout", NO_EXTENSIONS), failover.connect_timeout),
            others,
            now,
            deadline,
            failover.repeat,
            options,
            keyed,
            given.get(AT_ONCE, False),
        )

    def _timeouts(
        self, theirs: Mapping[str, float | None], connect: float
    ) -> Mapping[str, float | None]:
        """Return the caller's timeouts, with no more for the connection than is configured."""
        try:
            key = connect, *theirs.items()
            known = self._known_timeouts.get(key)
        except TypeError:  # a value that cannot be a key, and so no number
            raise OptionsError(NO_TIMEOUT) from None
        if known is None:
            if not all(map(_is_timeout, theirs.values())):
                raise OptionsError(NO_TIMEOUT)
            own = theirs.get("connect")
            known = {**theirs, "connect": connect if own is None else min(own, connect)}
            if len(self._known_timeouts) >= MOST_TIMEOUTS:
                self._known_timeouts.clear()
            self._known_timeouts[key] = known
        return known

    def _response(self, call: Call, answer: Answer, stream: Any) -> Any:
        headers, flight = answer.headers, answer.flight
        verdict = verdict_of_status(answer.status, self.router.verdicts)
        if verdict is not Verdict.DELIVERED:
            # The SDKs of openai and anthropic obey this: their own loop must not multiply ours.
            headers = [*headers, (b"x-should-retry", b"false")]
        permit = UNLIMITED if flight is None else flight.permit
        extensions = answer.extensions
        extensions["router"] = Trace(tuple(call.attempts), call.stopped, permit)
        return self._made(answer.status, headers=headers, stream=stream, extensions=extensions)

    def _course(self, request: Any, call: Call, answer: Answer, lease: Lease | None) -> Course:
        return Course(
            call,
            answer,
            lease,
            desk=self.router.desk,
            port=self._port,
            family=self._family,
            request=request,
        )


def _is_timeout(seconds: object) -> bool:
    return seconds is None or (isinstance(seconds, int | float) and seconds > 0)


class SyncRouting(Routing):
    """Routes the requests of threads."""

    _port: BlockingPort

    def __init__(self, config: str | Path | Config | Router) -> None:
        """Route by a configuration file, a Config, or a Router that others use too."""
        super().__init__(config)
        self._wires = Wires(self._family, self.router.wire_tls, self.router.config)
        self._port = BlockingPort(self._wires, lost=self.router.lost)

    def handle_request(self, request: Any) -> Any:
        """Route one request; raises the family's TransportError, as a RouterError too."""
        try:
            call = self._call(request)
            answer, lease = run(route(call, self.router.desk(), self._port))
        except RouterError as error:
            raised = self._family.raised(error, request)
            remember(request, raised)
            raise raised from raised.__cause__
        if (now := self.router.now()) >= self._standby.due:
            self._keep_ready(now)
        if answer.content is None:
            stream = self._family.body(self._course(request, call, answer, lease))
        else:
            stream = self._bytes(answer.content)
        return self._response(call, answer, stream)

    def _keep_ready(self, now: float) -> None:
        """Have the runner-up kept ready by a thread beside this one."""
        with contextlib.suppress(ClosedError, RuntimeError):  # no thread left; the answer stands
            request = self._standby.next(now)
            if request is not None:
                work = partial(self._port.stand_by, request)
                threading.Thread(target=work, name="router-standby", daemon=True).start()

    def close(self) -> None:
        """Close the connections, and the Router if this transport made it."""
        self._port.close()
        self._wires.close()
        if self._owned:
            self.router.close()


class AsyncRouting(Routing):
    """Routes the requests of tasks."""

    _port: AsyncioPort

    def __init__(self, config: str | Path | Config | Router) -> None:
        """Route by a configuration file, a Config, or a Router that others use too."""
        super().__init__(config)
        load_for_tasks()
        self._wires = AsyncWires(self._family, self.router.wire_tls, self.router.config)
        self._port = AsyncioPort(self._wires)
        self._standing_by: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: Any) -> Any:
        """Route one request; raises the family's TransportError, as a RouterError too."""
        try:
            call = self._call(request)
            answer, lease = await route(call, self.router.desk(), self._port)
        except RouterError as error:
            raised = self._family.raised(error, request)
            remember(request, raised)
            raise raised from raised.__cause__
        if (now := self.router.now()) >= self._standby.due:
            self._keep_ready(now)
        if answer.content is None:
            course = self._course(request, call, answer, lease)
            stream = self._family.async_body(course, port=self._port)
        else:
            stream = self._bytes(answer.content)
        return self._response(call, answer, stream)

    def _keep_ready(self, now: float) -> None:
        """Have the runner-up kept ready by a task beside this one."""
        request = None
        with contextlib.suppress(ClosedError):  # meanwhile; the answer stands
            request = self._standby.next(now)
        if request is not None:
            task = asyncio.get_running_loop().create_task(self._port.stand_by(request))
            self._standing_by.add(task)
            task.add_done_callback(self._standing_by.discard)

    async def aclose(self) -> None:
        """Close this loop's connections, and the Router if this transport made it."""
        loop = asyncio.get_running_loop()
        for task in [task for task in self._standing_by if task.get_loop() is loop]:
            task.cancel()
        await self._wires.aclose()
        if self._owned:
            self.router.close()


class Transport(SyncRouting, httpx.BaseTransport):
    """For `httpx.Client(transport=…)`."""


class AsyncTransport(AsyncRouting, httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=…)`."""
