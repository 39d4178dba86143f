"""Where a body ends: by its length, its last chunk, or its connection (RFC 9112, section 6).

Rule 1: what follows the end is not of the body, and is told (`junk`).
Rule 2: chunks are held to the letter: a size in hexadecimal digits, CRLF behind each size and each
        chunk. What is lenient there takes a chunk that lost a byte for a whole one.
Rule 3: an end that comes before the end of the body is none.
"""

from __future__ import annotations

import re
from typing import Protocol

__all__ = ["Chunked", "Framing", "Sized", "UntilTheEnd"]

SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\0\r\n]*)?\r\n")
TRAILER = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*\r\n)*\r\n")
CRLF = b"\r\n"
LONGEST_LINE = 16 * 1024


class Framing(Protocol):
    """The end of one body.

    Attributes:
        is_over: whether the body is whole.
        junk: whether more came than the body.
        ends_with_connection: whether the end of the connection is its end.
    """

    is_over: bool
    junk: bool
    ends_with_connection: bool

    def take(self, data: bytes, /) -> bytes:
        """Return what of the data is the body's.

        Raises:
            ValueError: it is not framed as it should be.
        """
        ...


class Sized:
    """A body of so many bytes; 0: there is none."""

    __slots__ = ("_left", "is_over", "junk")

    ends_with_connection = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.is_over = length == 0
        self.junk = False

    def take(self, data: bytes) -> bytes:
        """Return the body's part."""
        left = self._left = self._left - len(data)
        if left > 0:
            return data
        self.is_over = True
        if left < 0:
            self._left, self.junk = 0, True
            return data[:left]
        return data


class UntilTheEnd:
    """A body that ends with its connection."""

    __slots__ = ("is_over", "junk")

    ends_with_connection = True

    def __init__(self) -> None:
        self.is_over = self.junk = False

    def take(self, data: bytes) -> bytes:
        """Return all of it."""
        return data


class Chunked:
    """A body in chunks, each behind its size; the last one has none, and fields may follow it."""

    __slots__ = ("_at", "_came", "_left", "_step", "is_over", "junk")

    ends_with_connection = False

    def __init__(self) -> None:
        self._came = b""
        self._at = 0
        self._left = 0
        self._step = self._size
        self.is_over = self.junk = False

    def take(self, data: bytes) -> bytes:
        """Return what the chunks hold."""
        self._came, self._at = self._came[self._at :] + data, 0
        parts: list[bytes] = []
        while not self.is_over and (part := self._step()) is not None:
            parts.append(part)
        self.junk = self.is_over and self._at < len(self._came)
        return b"".join(parts)

    def _line(self, pattern: re.Pattern[bytes], end: bytes) -> re.Match[bytes] | None:
        """Return what stands first, or None while its end has not come.

        Raises:
            ValueError: it is something else, or too long.
        """
        found = pattern.match(self._came, self._at)
        if found is not None:
            self._at = found.end()
        elif end in self._came[self._at :] or len(self._came) - self._at > LONGEST_LINE:
            raise ValueError
        return found

    def _size(self) -> bytes | None:
        found = self._line(SIZE, b"\n")
        if found is None:
            return None
        self._left = int(found[1], 16)
        self._step = self._data if self._left else self._trailer
        return b""

    def _data(self) -> bytes | None:
        part = self._came[self._at : self._at + self._left]
        if not part:
            return None
        self._at += len(part)
        self._left -= len(part)
        if not self._left:
            self._step = self._end
        return part

    def _end(self) -> bytes | None:
        end = self._came[self._at : self._at + len(CRLF)]
        if end != CRLF:
            if CRLF.startswith(end):
                return None
            raise ValueError
        self._at += len(CRLF)
        self._step = self._size
        return b""

    def _trailer(self) -> bytes | None:
        if self._line(TRAILER, b"\r\n\r\n") is None:
            return None
        self.is_over = True
        return b""
