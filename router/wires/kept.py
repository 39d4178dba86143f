"""The reading of bodies to their end, and of those that are put aside.

Rule 1: a body is closed when it was read, whatever the reading raised.
Rule 2: what is put aside is short and quick, or it has no body.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from router.call import KEPT_WITHIN

if TYPE_CHECKING:
    from router.call import Answer
    from router.families import Family

__all__ = ["Kept", "begun", "whole"]

MOST_KEPT = 64 * 1024


class Kept:
    """The body of an answer that is put aside: whole if it is short and quick, else nothing."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._chunks: list[bytes] = []
        self._size = 0
        self._until = time.monotonic() + KEPT_WITHIN
        self._whole = False

    def take(self, chunk: bytes) -> bool:
        """Take a part; return whether to go on."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        return self._size <= MOST_KEPT and time.monotonic() <= self._until

    def __enter__(self) -> None:
        self._whole = False

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        in_time = self._size <= MOST_KEPT and time.monotonic() <= self._until
        self._whole = error is None and in_time
        return isinstance(error, Exception) and self._family.foreign(error) is not None

    def copy_of(self, answer: Answer) -> Answer:
        """Return the answer with this body; without one, the head says so."""
        if self._whole:
            body = b"".join(self._chunks)
            return replace(answer, stream=None, content=body, whole=None)
        return answer.without_body()


async def whole(stream: Any) -> bytes:
    """Return a body that a task reads, and close it."""
    try:
        return b"".join([chunk async for chunk in stream])
    finally:
        await stream.aclose()


async def begun(stream: Any, kept: Kept) -> None:
    """Take of a body that a task reads what is kept, and close it."""
    try:
        async for chunk in stream:
            if not kept.take(chunk):
                break
    finally:
        await stream.aclose()
