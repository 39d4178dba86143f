"""A look at the beginning of an answer's body, which its reader then gets all the same.

Rule 1: at most LARGEST bytes are read, and none after KEPT_WITHIN seconds: what they cannot say is
        not looked for, and a body that drips holds nobody up.
Rule 2: an error met while looking is kept for the reader, in its place in the body.
Rule 3: whoever is cancelled while looking leaves the stream closed.
"""

from __future__ import annotations

import time
import zlib
from typing import TYPE_CHECKING, Any

from router.call import KEPT_WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from router.call import Answer, Header

__all__ = ["Peeked", "apeek", "peek"]

LARGEST = 4 * 1024
ANY_ZLIB = zlib.MAX_WBITS | 32


class Peeked:
    """A body whose first chunks were read already; `with` keeps an error for its reader."""

    def __init__(self, stream: Any, rest: Any) -> None:
        self._stream = stream
        self._error: Exception | None = None
        self._until = time.monotonic() + KEPT_WITHIN
        self.rest = rest
        self.chunks: list[bytes] = []

    def take(self, chunk: bytes) -> bool:
        """Take a part; return whether to go on."""
        self.chunks.append(chunk)
        return sum(map(len, self.chunks)) < LARGEST and time.monotonic() < self._until

    def __enter__(self) -> None:
        self._error = None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        self._error = error if isinstance(error, Exception) else None
        return self._error is not None

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

    def put_back(self, answer: Answer) -> str:
        """Give the answer its whole body again; return the beginning as text."""
        answer.stream, answer.whole = self, None
        return _text(answer.headers, b"".join(self.chunks))


def peek(answer: Answer) -> str:
    """Return the beginning of a body as text; the answer's stream still holds all of it."""
    peeked = Peeked(answer.stream, iter(answer.stream))
    try:
        with peeked:
            for chunk in peeked.rest:
                if not peeked.take(chunk):
                    break
    except BaseException:
        peeked.close()
        raise
    return peeked.put_back(answer)


async def apeek(answer: Answer) -> str:
    """Do the same for a body that is read by a task."""
    peeked = Peeked(answer.stream, aiter(answer.stream))
    try:
        with peeked:
            async for chunk in peeked.rest:
                if not peeked.take(chunk):
                    break
    except BaseException:
        await peeked.aclose()
        raise
    return peeked.put_back(answer)


def _text(headers: list[Header], data: bytes) -> str:
    """Return what a text says; an encoding other than gzip and deflate says nothing."""
    encodings = {value.lower() for name, value in headers if name.lower() == b"content-encoding"}
    if encodings & {b"gzip", b"x-gzip", b"deflate"}:
        try:
            data = zlib.decompressobj(ANY_ZLIB).decompress(data, LARGEST)
        except zlib.error:
            return ""
    return data[:LARGEST].decode("utf-8", "replace")
