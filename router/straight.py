"""Going straight on where a library offers to give way.

The cores take a lock to close an answer, and anyio's locks let other tasks run for a moment even if
nobody holds them. A task that is cancelled in that moment leaves the connection taken for ever,
and a shield is no help, since the core's hold anyio's own cancellations only. A task of its own for
each request would be, but costs more than all else that the router does.

Rule: a bare offer to give way is declined, so that what only tidies up cannot be interrupted, and
      takes no turn of the loop. What really waits, waits, and can be cancelled.
"""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

__all__ = ["straight"]

T = TypeVar("T")


@types.coroutine
def straight(awaitable: Awaitable[T]) -> Generator[Any, None, T]:
    """Await, without a pause where nothing is waited for."""
    steps = awaitable.__await__()
    error: BaseException | None = None
    while True:
        try:
            waits = next(steps) if error is None else steps.throw(error)
        except StopIteration as stop:
            result: T = stop.value
            return result
        error = None
        if waits is not None:
            try:
                yield waits
            except BaseException as thrown:  # noqa: BLE001 - it goes on to who waits
                error = thrown
