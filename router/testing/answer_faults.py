"""Faults of requests and answers: silent, broken off, slow, garbled, or out of turn.

Rule 1: `at_byte` counts from the status line, with `in_body=True` from the first byte of the body;
        an answer that is shorter passes whole.
Rule 2: with `executed=False` the request is read in full and the server never gets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from router.testing.fault import AnswerFault, End

if TYPE_CHECKING:
    from router.testing.fault import Progress, Steps

__all__ = [
    "CloseIdle",
    "Cut",
    "Delay",
    "Drip",
    "FloodOf1xx",
    "Garbage",
    "Reset",
    "Silent",
    "Slow",
    "StaleKeepAlive",
]

TICK = 0.02
"""Seconds between the pieces that a slow line is cut into."""


@dataclass(frozen=True, slots=True)
class Silent(AnswerFault):
    """The request is read and never answered. The client sees its read timeout."""

    executed: bool = False

    def steps(self, data: bytes, progress: Progress) -> Steps:  # noqa: ARG002
        yield End.NEVER


@dataclass(frozen=True, slots=True)
class _Broken(AnswerFault):
    """Lets `at_byte` bytes of the answer pass, and ends the connection."""

    end: ClassVar[End]
    at_byte: int = 0
    in_body: bool = False
    executed: bool = True

    def __post_init__(self) -> None:
        if not self.executed and (self.at_byte or self.in_body):
            raise ValueError("a request that is not executed has no answer to break off")

    def steps(self, data: bytes, progress: Progress) -> Steps:
        limit = progress.until(data, self.at_byte, in_body=self.in_body)
        yield data[:limit]
        start = progress.body_at or 0 if self.in_body else 0
        if limit is not None and progress.size + limit >= start + self.at_byte:
            yield self.end


@dataclass(frozen=True, slots=True)
class Reset(_Broken):
    """The connection is reset (RST). The client sees ECONNRESET, after `at_byte` bytes.

    `Reset()` executes the request and answers nothing; `Reset(executed=False)` reads it only;
    `Reset(at_byte=5)` ends in the status line, `Reset(in_body=True, at_byte=5)` in the body.
    """

    end = End.RST


@dataclass(frozen=True, slots=True)
class Cut(_Broken):
    """The connection is closed (FIN) after `at_byte` bytes; arguments as of Reset.

    The client sees an end without an answer, or an answer that breaks off. One without a length
    (HTTP/1.0 style) cannot be told from a whole one.
    """

    end = End.FIN


@dataclass(frozen=True, slots=True)
class Drip(AnswerFault):
    """`size` bytes at a time, `every` seconds: no read times out, and the answer takes for ever.

    With `in_body=True` the head comes at once.
    """

    every: float
    size: int = 1
    in_body: bool = False

    def steps(self, data: bytes, progress: Progress) -> Steps:
        start = progress.until(data, 0, in_body=True) if self.in_body else 0
        start = len(data) if start is None else start
        yield data[:start]
        for at in range(start, len(data), self.size):
            yield data[at : at + self.size]
            yield self.every


@dataclass(frozen=True, slots=True)
class Slow(AnswerFault):
    """The answer comes at so many bytes a second, in pieces 20 ms apart."""

    bytes_per_second: float

    def steps(self, data: bytes, progress: Progress) -> Steps:
        size = max(1, int(self.bytes_per_second * TICK))
        return Drip(size / self.bytes_per_second, size).steps(data, progress)


@dataclass(frozen=True, slots=True)
class Delay(AnswerFault):
    """The answer's first byte comes so many seconds later."""

    seconds: float

    def steps(self, data: bytes, progress: Progress) -> Steps:
        if not progress.size:
            yield self.seconds
        yield data


@dataclass(frozen=True, slots=True)
class Garbage(AnswerFault):
    """In place of an answer come these bytes, then FIN. The client sees a protocol error."""

    data: bytes = b"\x00\x16\xff this is not HTTP\r\n\r\n"
    executed: bool = True

    def steps(self, data: bytes, progress: Progress) -> Steps:  # noqa: ARG002
        yield self.data
        yield End.FIN


@dataclass(frozen=True, slots=True)
class FloodOf1xx(AnswerFault):
    """Interim answers without end, every so many seconds, and never a final one.

    No read times out: only a deadline over the whole request ends it. A heal closes the connection.
    """

    status: int = 103
    every: float = 0.001
    executed: bool = False
    endless: ClassVar[bool] = True

    def steps(self, data: bytes, progress: Progress) -> Steps:  # noqa: ARG002
        while True:
            yield b"HTTP/1.1 %d Early Hints\r\nLink: </a>; rel=preload\r\n\r\n" % self.status
            yield self.every


@dataclass(frozen=True, slots=True)
class CloseIdle(AnswerFault):
    """Connections idle for so many seconds after an answer are closed (FIN), unannounced.

    With 0 every answer is followed by its FIN. Those that are idle already count from now.
    A Proxy cannot know where an answer ends: it waits for at least 20 ms of quiet.
    """

    after: float = 0.0


@dataclass(frozen=True, slots=True)
class StaleKeepAlive(AnswerFault):
    """A connection serves one request; the next is met by a close, as if the two had crossed.

    Nothing of it is executed. The client sees an end without an answer (FIN), or with `reset=True`
    ECONNRESET, on a connection that was used before.
    """

    reset: bool = False
