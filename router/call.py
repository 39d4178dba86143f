"""One request on its way: Call in, Outgoing to the wire, Answer back.

Rule 1: these know no HTTP library; a header is a pair of bytes, a body is an opaque stream.
Rule 2: a body is sent again only if it is bytes, or was not started.
Rule 3: Host, Authorization and the timestamp are made anew for each attempt.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from router.options import NO_OPTIONS, Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping

    from router.attempt import Attempt
    from router.balance.choice import Choice
    from router.endpoint import Endpoint
    from router.errors import PreconditionError
    from router.failover.verdict import Verdict
    from router.flight import Flight
    from router.shaping import Shaped, Shaping

__all__ = [
    "KEPT_WITHIN",
    "Answer",
    "Body",
    "Call",
    "Header",
    "Interruptible",
    "LateBodyError",
    "Once",
    "Outgoing",
    "Remaining",
    "Timeouts",
]

Header = tuple[bytes, bytes]

KEPT_WITHIN = 0.25
OF_THE_BODY = frozenset({b"content-length", b"content-encoding", b"transfer-encoding"})
LATE_BODY = "the request's body was not made in time"
LEAST_TIMEOUT = 1e-3  # a socket's timeout of 0 means "do not block", which is another thing


class LateBodyError(TimeoutError):
    """The caller's own generator was too slow for its request."""


class Once:
    """A body that can be read once, and remembers whether somebody began.

    It ends with a LateBodyError once the request's deadline is past: a slow generator must not
    outlive its request. A task's is ended while it waits; one of a thread cannot be, and is left
    at its next chunk.

    Attributes:
        started: whether somebody began to read it.
        making: seconds that its caller's generator took so far.
    """

    __slots__ = ("_now", "_stream", "_until", "making", "started")

    def __init__(self, stream: Any, *, until: float, now: Callable[[], float]) -> None:
        self._stream = stream
        self._until = until
        self._now = now
        self.started = False
        self.making = 0.0

    def _check(self) -> None:
        if self._now() > self._until:
            raise LateBodyError(LATE_BODY)

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        began = self._now()
        for chunk in self._stream:
            self.making += self._now() - began
            self._check()
            yield chunk
            began = self._now()
        self.making += self._now() - began

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.started = True
        chunks = aiter(self._stream)
        while (chunk := await self._next(chunks)) is not None:
            self._check()
            yield chunk

    async def _next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """Return the next chunk, or None at the end."""
        began = self._now()
        try:
            async with asyncio.timeout(max(0.0, self._until - self._now())) as waiting:
                return await anext(chunks, None)
        except TimeoutError:
            if not waiting.expired():
                raise  # the caller's own
            raise LateBodyError(LATE_BODY) from None
        finally:
            self.making += self._now() - began


@dataclass(slots=True)
class Body:
    """A request's body: bytes that can be sent again, or a Once."""

    stream: Any
    replayable: bool

    @property
    def sendable(self) -> bool:
        """Whether it can be sent from its beginning."""
        return self.replayable or not self.stream.started

    @property
    def making(self) -> float:
        """Seconds that its caller took to make it."""
        return 0.0 if self.replayable else float(self.stream.making)


class Interruptible(Protocol):
    """What a request waits at: it can be ended from outside."""

    def interrupt(self, timeouts: Timeouts) -> None:
        """End what waits for this request, if it is still this one."""
        ...


class Remaining(float):
    """The seconds that a phase had when it began; `now()` is what is left of them.

    It knows whom to ask, and the core hands it on to its streams as it is.

    Attributes:
        timeouts: whom to ask.
        limit: seconds that bound each wait.
        ends: the monotonic instant that bounds all of them together.
    """

    __slots__ = ("ends", "limit", "timeouts")

    ends: float | None
    limit: float | None
    timeouts: Timeouts

    def now(self) -> float:
        """Return the seconds that a wait beginning now may take; 0: none."""
        return self.timeouts.left_of(self.limit, self.ends)


class Timeouts:
    """What the wire may wait, asked for when a phase (connect, write, read, pool) begins.

    Until the head of the answer is there, phases share one budget, so that together they cannot
    outlast it; afterwards a pause in the body is bounded by the read timeout, and the whole body
    by `until_body_end`.

    Attributes:
        left: when the first write began, in monotonic seconds: the request waits for a connection
            no longer. None: it does.
        until_body_end: when the body has to be there, in monotonic seconds. None: whenever.
        until_head: when the head of the answer has to be there, in monotonic seconds; None: it is.
        stale: the connection had been used before, and broke without a byte of this answer.
        abandoned: nobody waits for the request any more.
        stream: what it waits at now.
    """

    __slots__ = (
        "_late",
        "_leaves",
        "_limits",
        "_longest",
        "_now",
        "_part_until",
        "_pause",
        "abandoned",
        "left",
        "stale",
        "stream",
        "until_body_end",
        "until_head",
    )

    def __init__(
        self,
        limits: Mapping[str, float | None],
        until: float,
        pause: float,
        now: Callable[[], float],
        leaves: Callable[[float], None] = lambda _: None,
        *,
        until_body_end: float | None = None,
    ) -> None:
        """Take the caller's seconds by phase, and what bounds them.

        Args:
            limits: the caller's own timeouts.
            until: when the head of the answer has to be there, in monotonic seconds.
            pause: seconds between parts of the body, where the caller sets no read timeout.
            now: monotonic seconds.
            leaves: hears when the first write begins.
            until_body_end: when the body has to be there, in monotonic seconds; None: whenever.
        """
        self._leaves = leaves
        self.left: float | None = None
        self._limits = limits
        self._now = now
        self._pause = pause
        self.until_head: float | None = until
        self.until_body_end = until_body_end
        self._part_until: float | None = None
        self._late = False
        self._longest = math.inf
        self.stale = False
        self.abandoned = False
        self.stream: Interruptible | None = None

    def rebudget(self, seconds: float) -> None:
        """Give all that follows a budget of so many seconds."""
        self.until_head = self._now() + seconds
        self._late = False

    def next_part(self) -> None:
        """Say that a part of the body is awaited: it has a pause for all it takes on the wire."""
        self._part_until = self._now() + self._pause_of(self._limits.get("read"))

    def _pause_of(self, limit: float | None) -> float:
        """Return the seconds that one wait for a part of the body may take."""
        return min(self._pause if limit is None else limit, self._longest)

    def set_pause(self, seconds: float) -> None:
        """Bound each wait for a part of the body, from the next one on, whoever allows more."""
        self._longest = seconds

    def abandon(self) -> None:
        """End the request at once: what it waits at is interrupted, what follows has no time.

        For a blocking wire from any thread; for a suspending one from its loop's thread.
        """
        self.abandoned = True
        stream = self.stream
        if stream is not None:
            stream.interrupt(self)

    def get(self, phase: str, default: float | None = None) -> Remaining:
        """Return the seconds that a phase beginning now may take."""
        limit, now, until = self._limits.get(phase, default), self._now(), self.until_head
        ends = None
        if self.abandoned:
            seconds = LEAST_TIMEOUT
        else:
            if phase == "write" and self.left is None:
                self.left = now
                self._leaves(now)
            elif phase == "connect" and limit is not None:  # of the TLS handshake too
                ends = now + limit
            if until is not None and limit is None:  # on everybody's path, without a call
                seconds = until - now
            else:
                seconds = self._left(limit, ends)
        made = Remaining(max(LEAST_TIMEOUT, seconds))
        made.timeouts, made.limit, made.ends = self, limit, ends
        return made

    def left_of(self, limit: float | None, ends: float | None) -> float:
        """Return the seconds that a wait beginning now may take; 0: none.

        When time is up, it grants one last look at what has come already: a process that was held
        up must not throw away an answer that was in time.
        """
        if self.abandoned:
            return 0.0
        left = self._left(limit, ends)
        if left > 0:
            return left
        late, self._late = self._late, True
        return 0.0 if late else LEAST_TIMEOUT

    def _left(self, limit: float | None, ends: float | None) -> float:
        until = self.until_head
        if until is None:
            limit = self._pause_of(limit)
            until = self.until_body_end
            if self._part_until is not None:
                until = self._part_until if until is None else min(until, self._part_until)
        if ends is not None:
            until = ends if until is None else min(until, ends)
        if until is None:
            assert limit is not None
            return limit
        left = until - self._now()
        return left if limit is None else min(limit, left)


@dataclass(slots=True)
class Outgoing:
    """One attempt's request as the wire sends it; it reads `headers` when it writes them."""

    method: str
    endpoint: Endpoint
    target: bytes = field(repr=False)
    headers: Iterable[Header] = field(repr=False)
    body: Body = field(repr=False)
    timeouts: Timeouts = field(repr=False)
    extensions: Mapping[str, Any] = field(repr=False)


@dataclass(slots=True)
class Answer:
    """A response: status, raw headers, and a body that holds its connection until closed.

    Attributes:
        content: the body, where it was read already.
        whole: returns the body, where all of it came together with the head; None: it did not.
        flight: the attempt that brought it, which bounds the reading of its body.
    """

    status: int
    headers: list[Header] = field(repr=False)
    stream: Any = field(repr=False)
    extensions: dict[str, Any] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)
    flight: Flight | None = field(default=None, repr=False, kw_only=True)
    whole: Callable[[], bytes | None] | None = field(default=None, repr=False, kw_only=True)

    def without_body(self) -> Answer:
        """Return the head alone, in memory; it says that there is no body."""
        headers = [pair for pair in self.headers if pair[0].lower() not in OF_THE_BODY]
        return replace(self, headers=headers, stream=None, content=b"", whole=None)


@dataclass(slots=True)
class Call:
    """A caller's request and what has become of it so far; instants are monotonic seconds.

    Attributes:
        path: what comes behind an endpoint's base path, with the query.
        headers: the caller's, without those that each attempt makes anew.
        timeouts: the caller's own, in seconds by phase.
        at_once: whether its caller reads the whole answer at once, and so the flow does.
        corrected: what was refused and made anew already: the token, the time, the preconditions.
        launched: how many attempts were sent.
        once: statuses that asked for the same again, and were obeyed.
        stale: how many connections turned out to be closed already.
        problem: what the caller has to mend before the request is sent again.
        stopped: why no further attempt was made, in words.
        kept: the last answer that was not good enough, in case no better one comes.
        blamed: attempts whose failures count against their endpoints, with what they say.
        shaped: what endpoints made of it that shape their requests, by name.
    """

    method: str
    path: bytes = field(repr=False)
    headers: list[Header] = field(repr=False)
    body: Body = field(repr=False)
    timeouts: Mapping[str, float | None]
    extensions: Mapping[str, Any] = field(repr=False)
    started: float
    deadline: float
    repeat: str
    options: Options = NO_OPTIONS
    keyed: bool = False
    at_once: bool = False
    attempts: list[Attempt] = field(default_factory=list)
    tried: frozenset[str] = frozenset()
    backoffs: int = 0
    corrected: frozenset[Verdict] = frozenset()
    launched: int = 0
    once: frozenset[int] = frozenset()
    stale: int = 0
    problem: PreconditionError | None = None
    stopped: str | None = None
    kept: Answer | None = None
    blamed: tuple[tuple[Choice, str], ...] = ()
    shaped: dict[Shaping, Shaped] | None = field(default=None, repr=False)

    def addressed_to(
        self, endpoint: Endpoint, extra: Collection[Header], timeouts: Timeouts
    ) -> Outgoing:
        """Return the request for one attempt at `endpoint`.

        Raises:
            CallerError: the endpoint changes members of JSON bodies, and cannot change this one.
        """
        path, headers, body = self.path, self.headers, self.body
        if endpoint.shaping is not None:
            path, headers, body = self._shaped(endpoint.shaping)
        target = endpoint.base_path + path
        if target[:1] != b"/":
            target = b"/" + target
        headers = [endpoint.host_header, *headers, *extra]
        return Outgoing(self.method, endpoint, target, headers, body, timeouts, self.extensions)

    def _shaped(self, shaping: Shaping) -> tuple[bytes, list[Header], Body]:
        """Return path, headers and body at an endpoint; path and body are made once."""
        made = None if self.shaped is None else self.shaped.get(shaping)
        if made is None:
            made = shaping.shaped(self.path, self.headers, self._content)
            self.shaped = {**(self.shaped or {}), shaping: made}
        if made.content is None:
            return made.path, shaping.headers(self.headers, None), self.body
        headers = shaping.headers(self.headers, len(made.content))
        return made.path, headers, Body(made.content, replayable=True)

    def _content(self) -> bytes | None:
        return b"".join(self.body.stream) if self.body.replayable else None
