"""An answer: its head as aiohttp's compiled parser (llhttp) reads it, its body as its head says.

Rule 1: the parser is given a head alone, when all of it is there: what stands behind an answer must
        not make the answer an error, nor be taken for the next one.
Rule 2: the parser is lenient where the core's is strict; what matters for where an answer ends is
        checked here: names are tokens, no line begins with a space unless it goes on with another,
        `Transfer-Encoding` is `chunked`, once. Bodies are this package's own (`framing`).
Rule 3: nothing is decompressed, and names and values stay as they came.
Rule 4: errors quote nothing of what came.
Rule 5: this module alone imports aiohttp, and is imported when its wire is used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from aiohttp.http import HttpResponseParser

from router.wires.bounds import MOST_HEAD
from router.wires.framing import Chunked, Sized, UntilTheEnd

if TYPE_CHECKING:
    from router.wires.framing import Framing

__all__ = ["Reading"]

PART = 64 * 1024
MOST_HEADERS = 1000
MOST_DIGITS = 20
"""Of a length; the parser overlooks zeros before it, and Python reads no more than 4300."""
SWITCHES, FINAL, LEAST_STATUS = 101, 200, 100
BODILESS = frozenset({101, 204, 304})
BLANK_LINE = re.compile(rb"\n\r?\n")
START = re.compile(rb"HTTP/1\.[^\n]*\n(?![ \t])")
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
BREAKS_OFF = "Server disconnected without sending a response."
CUT = "peer closed connection without sending complete message body"
NO_HEAD = "the head of the answer is not valid HTTP/1.1"
NO_LOOP: Any = object()
"""A parser of heads makes no use of a loop; without any it would look for one."""
NO_BODY = "the body of the answer is not valid HTTP/1.1"


class Reading:
    """One answer, out of what comes over its connection.

    Attributes:
        message: the head, once it is there.
        spoiled: whether the connection can carry no other exchange, whatever the head says.
        rest: what came behind a head that switches to another protocol.
    """

    __slots__ = (
        "_body",
        "_came",
        "_core",
        "_error",
        "_framing",
        "_method",
        "_parser",
        "_size",
        "message",
        "rest",
        "spoiled",
    )

    def __init__(self, core: Any, method: str) -> None:
        self._core = core
        self._method = method
        self._parser = HttpResponseParser(
            None,
            NO_LOOP,
            PART,
            max_line_size=MOST_HEAD,
            max_headers=MOST_HEADERS,
            max_field_size=MOST_HEAD,
            response_with_body=False,
            auto_decompress=False,
        )
        self._came: bytearray | None = None
        self._size = 0
        self._body = b""
        self._error: str | None = None
        self._framing: Framing
        self.message: Any = None
        self.spoiled = False
        self.rest = b""

    def take(self, data: bytes) -> bool:
        """Take what came, nothing at the end; return whether the head is there.

        Raises:
            RemoteProtocolError: of the core; it is no answer, or it breaks off.
        """
        if not data:
            raise self._core.RemoteProtocolError(BREAKS_OFF)
        came: bytes | bytearray = data
        seen = 0
        if self._came is not None:
            seen = max(0, len(self._came) - 2)
            self._came += data
            came = self._came
        while (blank := BLANK_LINE.search(came, seen)) is not None:
            end, seen = blank.end(), 0
            self._count(end)
            message = self._head(bytes(came[:end]))
            came = came[end:]
            if message.code >= FINAL or message.code == SWITCHES:
                self.message = message
                self._begin(bytes(came))
                return True
        self._came = bytearray(came)
        if self._size + len(came) > MOST_HEAD:
            self._count(len(came))
        return False

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > MOST_HEAD:
            raise self._core.RemoteProtocolError("the head of the answer is too long")

    def _head(self, data: bytes) -> Any:
        try:
            messages, _, _ = self._parser.feed_data(data)
            ((message, _),) = messages
        except Exception:  # noqa: BLE001 - of many classes, which quote what came
            raise self._core.RemoteProtocolError(NO_HEAD) from None
        names = b"".join([name for name, _ in message.raw_headers])
        if (
            not START.match(data)
            or b"\0" in data
            or data.count(b"\r") != data.count(b"\r\n")
            or message.code < LEAST_STATUS
            or not TOKEN.fullmatch(names)
            or len(message.headers.get("Content-Length", "")) > MOST_DIGITS
            or ("Transfer-Encoding" in message.headers and not _is_chunked(message))
        ):
            raise self._core.RemoteProtocolError(NO_HEAD)
        return message

    def _begin(self, rest: bytes) -> None:
        """Begin with the body, of which some may have come already."""
        self._came = None
        self._framing = _framing_of(self.message, self._method)
        if self.switches:
            self.rest, self.spoiled = rest, True
        elif rest:
            self.feed(rest)

    def feed(self, data: bytes) -> None:
        """Take a part of the body; nothing at the end of the connection."""
        framing = self._framing
        if not data:
            self._ends()
        elif framing.is_over:
            self.spoiled = True
        else:
            try:
                self._body += framing.take(data)
            except ValueError:
                self._error = NO_BODY  # told when what came before it was read
            self.spoiled = self.spoiled or framing.junk

    def _ends(self) -> None:
        self.spoiled = True
        if self._framing.ends_with_connection:
            self._framing.is_over = True
        elif not self._framing.is_over:
            self._error = self._error or CUT

    @property
    def is_whole(self) -> bool:
        """Whether the end of the body has come, and nothing was wrong with it."""
        return self._error is None and self._framing.is_over

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be read."""
        return self._error is not None or self._framing.is_over

    @property
    def switches(self) -> bool:
        """Whether the connection speaks another protocol from now on."""
        return bool(self.message.code == SWITCHES)

    @property
    def keeps(self) -> bool:
        """Whether its connection can carry another exchange."""
        return self.is_whole and not self.spoiled and not self.message.should_close

    def body(self) -> bytes | None:
        """Return what came of the body; nothing at its end; None: there is nothing yet.

        Raises:
            RemoteProtocolError: of the core; it breaks off, or is no body.
        """
        if self._body:
            data, self._body = self._body, b""
            return data
        if self._error is not None:
            raise self._core.RemoteProtocolError(self._error)
        return b"" if self._framing.is_over else None


def _is_chunked(message: Any) -> bool:
    """Return whether an answer's coding is the one that ends by itself, and is said once."""
    codings = message.headers.getall("Transfer-Encoding")
    return message.chunked and [coding.lower() for coding in codings] == ["chunked"]


def _framing_of(message: Any, method: str) -> Framing:
    """Return where the body of an answer to this method ends; the parser saw to one length."""
    if method == "HEAD" or message.code in BODILESS:
        return Sized(0)
    if message.chunked:
        return Chunked()
    length = message.headers.get("Content-Length")
    return UntilTheEnd() if length is None else Sized(int(length))
