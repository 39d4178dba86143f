"""Response bodies that hold their attempt's Lease until they are closed.

Rule 1: closing is idempotent, closes the wire's stream first and gives the Lease back whatever
        that raises.
Rule 2: a body that breaks raises an error that is also the family's, unless it goes on elsewhere;
        what is decided then is decided in `streams.course`, once for threads and tasks.
Rule 3: the stream that broke is closed, and its Lease given back, before another is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from router.errors import RouterError
from router.ports import run
from router.straight import straight

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from router.ports import AsyncioPort
    from router.streams.course import Course

__all__ = ["AsyncBody", "SyncBody"]


class SyncBody:
    """A body read by a thread."""

    def __init__(self, course: Course) -> None:
        self._course = course

    def __iter__(self) -> Iterator[bytes]:
        course = self._course
        chunks = iter(course.stream)
        while True:
            course.asks()
            try:
                chunk = course.took(next(chunks, None))
            except Exception as error:
                broken = course.broken(error)
                if broken is None:
                    raise
                self._go_on(broken)
                chunks = iter(course.stream)
                continue
            if chunk is None:
                return
            if chunk:
                yield chunk

    def _go_on(self, broken: RouterError) -> None:
        course = self._course
        try:
            with contextlib.suppress(Exception):  # it is broken already
                course.stream.close()
        finally:
            course.give_back()
        try:
            run(course.reopen(broken))
        except RouterError as error:
            raised = course.raised(error)
            raise raised from raised.__cause__

    def close(self) -> None:
        course = self._course
        course.closed = True
        try:
            course.stream.close()
        finally:
            course.give_back()


class AsyncBody:
    """A body read by a task."""

    def __init__(self, course: Course, port: AsyncioPort) -> None:
        self._course = course
        self._port = port

    async def __aiter__(self) -> AsyncIterator[bytes]:
        course = self._course
        chunks = aiter(course.stream)
        while True:
            course.asks()
            try:
                chunk = course.took(await straight(anext(chunks, None)))
            except asyncio.CancelledError:
                self._port.sweep()
                raise
            except Exception as error:
                broken = course.broken(error)
                if broken is None:
                    raise
                await self._go_on(broken)
                chunks = aiter(course.stream)
                continue
            if chunk is None:
                return
            if chunk:
                yield chunk

    async def _go_on(self, broken: RouterError) -> None:
        course = self._course
        try:
            with contextlib.suppress(Exception):  # it is broken already
                await self._port.end(course.stream)
        finally:
            course.give_back()
        try:
            await course.reopen(broken)
        except RouterError as error:
            raised = course.raised(error)
            raise raised from raised.__cause__

    async def aclose(self) -> None:
        course = self._course
        course.closed = True
        try:
            await self._port.end(course.stream)
        finally:
            course.give_back()
