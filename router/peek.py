"""A look at the beginning of an answer's body, which its reader then gets all the same.

Rule 1: at most LARGEST bytes are read, and none after WITHIN seconds: what they cannot say is not
        looked for, and a body that drips holds nobody up.
Rule 2: an error met while looking is kept for the reader, in its place in the body.
Rule 3: whoever is cancelled while looking leaves the stream closed.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from router.call import Answer, Header

__all__ = ["Peeked", "apeek", "peek"]

LARGEST = 4 * 1024
WITHIN = 0.25
ANY_ZLIB = zlib.MAX_WBITS | 32


class Peeked:
    """A body whose first chunks were read already."""

    def __init__(self, stream: Any, rest: Any) -> None:
        self._stream = stream
        self.rest = rest
        self._error: Exception | None = None
        self.chunks: list[bytes] = []
        self._until = time.monotonic() + WITHIN

    @property
    def enough(self) -> bool:
        """Whether enough was read, or for long enough."""
        return sum(map(len, self.chunks)) >= LARGEST or time.monotonic() >= self._until

    def keep(self, error: Exception) -> None:
        """Keep an error for the reader."""
        self._error = error

    def __iter__(self) -> Iterator[bytes]:
        yield from self.chunks
        if self._error is not None:
            raise self._error
        yield from self.rest

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self.chunks:
            yield chunk
        if self._error is not None:
            raise self._error
        async for chunk in self.rest:
            yield chunk

    def close(self) -> None:
        self._stream.close()

    async def aclose(self) -> None:
        await self._stream.aclose()


def peek(answer: Answer) -> str:
    """Return the beginning of a body as text; the answer's stream still holds all of it."""
    peeked = Peeked(answer.stream, iter(answer.stream))
    try:
        for chunk in peeked.rest:
            peeked.chunks.append(chunk)
            if peeked.enough:
                break
    except Exception as error:  # noqa: BLE001 - rule 2
        peeked.keep(error)
    except BaseException:
        peeked.close()
        raise
    answer.stream = peeked
    return _text(answer.headers, b"".join(peeked.chunks))


async def apeek(answer: Answer) -> str:
    """Do the same for a body that is read by a task."""
    peeked = Peeked(answer.stream, aiter(answer.stream))
    try:
        async for chunk in peeked.rest:
            peeked.chunks.append(chunk)
            if peeked.enough:
                break
    except Exception as error:  # noqa: BLE001 - rule 2
        peeked.keep(error)
    except BaseException:
        await peeked.aclose()
        raise
    answer.stream = peeked
    return _text(answer.headers, b"".join(peeked.chunks))


def _text(headers: list[Header], data: bytes) -> str:
    """Return what a text says; an encoding other than gzip and deflate says nothing."""
    encodings = {value.lower() for name, value in headers if name.lower() == b"content-encoding"}
    if encodings & {b"gzip", b"x-gzip", b"deflate"}:
        try:
            data = zlib.decompressobj(ANY_ZLIB).decompress(data, LARGEST)
        except zlib.error:
            return ""
    return data[:LARGEST].decode("utf-8", "replace")
