"""What a fault is: frozen data that says what becomes of a connection or of an answer.

Rule 1: a fault never waits and never touches a socket. It yields steps: bytes to send, seconds to
        wait, or how the connection ends; a `Line` carries them out.
Rule 2: a fault holds no state, so one may be shared and set again. What changes from request to
        request lives in the iterator that `draws` returns, which starts anew whenever it is set.
Rule 3: a fault is told whether the server gets the request (`executed`), since tests count that.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, TypeAlias

if TYPE_CHECKING:
    from typing import Self

__all__ = ["AnswerFault", "ConnectionFault", "End", "Fault", "ListenerFault", "Progress", "Steps"]

BLANK_LINE = b"\r\n\r\n"


class End(Enum):
    """How a connection ends; NEVER leaves it open, and nothing more comes."""

    FIN = "fin"
    RST = "rst"
    NEVER = "never"


Steps: TypeAlias = Iterator[bytes | float | End]


class Progress:
    """How many bytes of one answer came from the server so far, and where its body begins."""

    __slots__ = ("_tail", "body_at", "size")

    def __init__(self) -> None:
        self.size = 0
        self.body_at: int | None = None
        self._tail = b""

    def look(self, data: bytes) -> Self:
        """Find the end of the head, if it is in `data`, the bytes that come next."""
        if self.body_at is None:
            seen = self._tail + data
            found = seen.find(BLANK_LINE)
            if found >= 0:
                self.body_at = self.size - len(self._tail) + found + len(BLANK_LINE)
            self._tail = seen[-len(BLANK_LINE) + 1 :]
        return self

    def until(self, data: bytes, byte: int, *, in_body: bool) -> int | None:
        """Return how much of `data` stands before that byte; None if that is not known yet."""
        start = self.body_at if in_body else 0
        return None if start is None else min(len(data), max(0, start + byte - self.size))


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong; see `router.testing.faults` for all that there are."""

    whole: ClassVar[bool] = True
    """Whether it befalls everything, the router's probes too."""

    @property
    def executed(self) -> bool:
        """Whether the server gets the request."""
        return True

    @property
    def kind(self) -> type[Fault]:
        """Where it takes hold: ListenerFault, ConnectionFault or AnswerFault."""
        return next(base for base in type(self).__mro__ if Fault in base.__bases__)

    def draws(self) -> Iterator[Fault | None]:
        """Yield, for one connection or request after the other, the fault that befalls it."""
        return itertools.repeat(self)


@dataclass(frozen=True, slots=True)
class ListenerFault(Fault):
    """Befalls the listening socket: whoever connects next."""


@dataclass(frozen=True, slots=True)
class ConnectionFault(Fault):
    """Befalls connections that are opened from now on, before their first byte."""


@dataclass(frozen=True, slots=True)
class AnswerFault(Fault):
    """Befalls requests that begin from now on, on open connections too."""

    endless: ClassVar[bool] = False
    """Whether its steps have no end, so that a heal has to close the connection."""

    def steps(self, data: bytes, progress: Progress) -> Steps:  # noqa: ARG002 - for subclasses
        """Yield what becomes of the next bytes of the answer; none, where nothing is executed."""
        yield data
