"""What a wire is: it sends one request and brings the head of its answer.

Rule 1: a wire raises SendFailure, whose cause is an exception of the caller's family.
Rule 2: the body that it brings holds its connection until it is closed.
Rule 3: a wire belongs to one family, and opens its pools when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any

    from router.call import Answer, Outgoing

__all__ = ["Stream", "TaskWire", "ThreadWire"]


class Stream(Protocol):
    """A connection as a pool and an exchange use it; one of threads never suspends."""

    def read(self, max_bytes: int, timeout: float | None = None) -> Coroutine[Any, Any, bytes]:
        """Return what is there, waiting for it; nothing at the end."""
        ...

    def write(self, buffer: bytes, timeout: float | None = None) -> Coroutine[Any, Any, None]:
        """Send all."""
        ...

    def sever(self) -> None:
        """End it at once."""
        ...

    def get_extra_info(self, info: str) -> Any:
        """Return what is known of the connection by this name."""
        ...


class ThreadWire(Protocol):
    """Sends for threads."""

    def send(self, request: Outgoing, /) -> Answer:
        """Send and return the response with its body unread; raise SendFailure."""
        ...

    def close(self) -> None:
        """Close every connection; what still waits for its turn is not sent."""
        ...


class TaskWire(Protocol):
    """Sends for tasks; each event loop has connections of its own."""

    def send(self, request: Outgoing, /) -> Coroutine[Any, Any, Answer]:
        """Send and return the response with its body unread; raise SendFailure."""
        ...

    def sweep(self) -> None:
        """Close what a cancelled task left open."""
        ...

    async def aclose(self) -> None:
        """Close this loop's connections; those of other loops go with their loops."""
        ...
