"""One request on its way: Call in, Outgoing to the wire, Answer back.

Rule 1: these know no HTTP library; a header is a pair of bytes, a body is an opaque stream.
Rule 2: a body is sent again only if it is bytes, or was not started.
Rule 3: Host, Authorization and the timestamp are made anew for each attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from router.options import NO_OPTIONS, Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping

    from router.attempt import Attempt
    from router.balance.choice import Choice
    from router.endpoint import Endpoint
    from router.failover.verdict import Verdict

__all__ = ["KEPT_WITHIN", "Answer", "Body", "Call", "Header", "Once", "Outgoing", "Timeouts"]

Header = tuple[bytes, bytes]

KEPT_WITHIN = 0.25
LEAST_TIMEOUT = 1e-3  # a socket's timeout of 0 means "do not block", which is another thing


class Once:
    """A body that can be read once, and remembers whether somebody began.

    It ends with a TimeoutError once the request's deadline is past or nobody waits for it any
    more: a slow generator must not outlive its request.
    """

    __slots__ = ("_abandoned", "_now", "_stream", "_until", "started")

    def __init__(self, stream: Any, *, until: float, now: Callable[[], float]) -> None:
        self._stream = stream
        self._until = until
        self._now = now
        self._abandoned = False
        self.started = False

    def abandon(self) -> None:
        """Say that nobody waits for the request any more."""
        self._abandoned = True

    def _check(self) -> None:
        if self._abandoned or self._now() > self._until:
            raise TimeoutError("the request's body was not sent before the deadline")

    def __iter__(self) -> Iterator[bytes]:
        self.started = True
        for chunk in self._stream:
            self._check()
            yield chunk

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.started = True
        async for chunk in self._stream:
            self._check()
            yield chunk


@dataclass(frozen=True, slots=True)
class Body:
    """A request's body: bytes that can be sent again, or a Once."""

    stream: Any
    replayable: bool

    @property
    def sendable(self) -> bool:
        """Whether it can be sent from its beginning."""
        return self.replayable or not self.stream.started


class Timeouts:
    """What the wire may wait, asked for when a phase (connect, write, read, pool) begins.

    Until the head of the answer is there, phases share one budget, so that together they cannot
    outlast it; afterwards a pause in the body is bounded by the read timeout alone.

    Attributes:
        left: when the first write began, in monotonic seconds: the request waits for a connection
            no longer. None: it does.
    """

    __slots__ = ("_leaves", "_limits", "_now", "_pause", "_until", "left")

    def __init__(
        self,
        limits: Mapping[str, float | None],
        *,
        budget: float,
        pause: float,
        now: Callable[[], float],
        leaves: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Take the caller's seconds by phase, and what bounds them.

        Args:
            limits: the caller's own timeouts.
            budget: seconds for all phases up to the head of the answer.
            pause: seconds between parts of the body, where the caller sets no read timeout.
            now: monotonic seconds.
            leaves: hears when the first write begins.
        """
        self._leaves = leaves
        self.left: float | None = None
        self._limits = limits
        self._now = now
        self._pause = pause
        self._until: float | None = now() + budget

    def head_came(self) -> None:
        """Say that the head of the answer is there."""
        self._until = None

    def rebudget(self, seconds: float) -> None:
        """Give all that follows a budget of so many seconds."""
        self._until = self._now() + seconds

    def get(self, phase: str, default: float | None = None) -> float:
        """Return the seconds that a phase beginning now may take."""
        if self.left is None and phase == "write":
            self.left = self._now()
            self._leaves(self.left)
        limit = self._limits.get(phase, default)
        if self._until is None:
            return self._pause if limit is None else limit
        left = max(self._until - self._now(), LEAST_TIMEOUT)
        return left if limit is None else min(limit, left)


@dataclass(slots=True)
class Outgoing:
    """One attempt's request as the wire sends it; it reads `headers` when it writes them."""

    method: str
    endpoint: Endpoint
    target: bytes
    headers: Iterable[Header] = field(repr=False)
    body: Body = field(repr=False)
    timeouts: Timeouts = field(repr=False)
    extensions: Mapping[str, Any] = field(repr=False)


@dataclass(slots=True)
class Answer:
    """A response: status, raw headers, and a body that holds its connection until closed."""

    status: int
    headers: list[Header] = field(repr=False)
    stream: Any = field(repr=False)
    extensions: dict[str, Any] = field(repr=False)
    content: bytes | None = field(default=None, repr=False)


@dataclass(slots=True)
class Call:
    """A caller's request and what has become of it so far; instants are monotonic seconds.

    Attributes:
        path: what comes behind an endpoint's base path, with the query.
        headers: the caller's, without those that each attempt makes anew.
        timeouts: the caller's own, in seconds by phase.
        corrected: what was refused and made anew already: the token, the time.
        kept: the last answer that was not good enough, in case no better one comes.
        blamed: attempts whose failures count against their endpoints, with what they say.
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
    attempts: list[Attempt] = field(default_factory=list)
    tried: set[str] = field(default_factory=set)
    backoffs: int = 0
    corrected: set[Verdict] = field(default_factory=set)
    kept: Answer | None = None
    blamed: list[tuple[Choice, str]] = field(default_factory=list)

    def addressed_to(
        self, endpoint: Endpoint, extra: Collection[Header], timeouts: Timeouts
    ) -> Outgoing:
        """Return the request for one attempt at `endpoint`."""
        origin = endpoint.origin
        target = origin.base_path.encode("ascii") + self.path
        return Outgoing(
            method=self.method,
            endpoint=endpoint,
            target=target if target.startswith(b"/") else b"/" + target,
            headers=[(b"Host", origin.authority.encode("ascii")), *self.headers, *extra],
            body=self.body,
            timeouts=timeouts,
            extensions=self.extensions,
        )
