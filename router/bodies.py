"""Response bodies that hold their attempt's Lease until they are closed.

Rule 1: closing is idempotent, closes the wire's stream first and gives the Lease back whatever
        that raises.
Rule 2: an error while reading is the family's own; the reader hears it, nothing is retried here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from router.lease import Lease

__all__ = ["AsyncBody", "SyncBody"]


class _Held:
    """What both kinds of body keep."""

    def __init__(
        self, stream: Any, lease: Lease | None, translate: Callable[[Exception], Exception]
    ) -> None:
        self._stream = stream
        self._lease = lease
        self._translate = translate

    def _give_back(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            lease.give_back()


class SyncBody(_Held):
    """A body read by a thread."""

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._stream
        except Exception as error:
            translated = self._translate(error)
            if translated is error:
                raise
            raise translated from error

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            self._give_back()


class AsyncBody(_Held):
    """A body read by a task."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except Exception as error:
            translated = self._translate(error)
            if translated is error:
                raise
            raise translated from error

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            self._give_back()
