"""The head of a request in HTTP/1.1, and the framing of its body.

Rule 1: it is made when it is written, since that takes the time (`departure`); the target of a
        signed request is made at the same moment.
Rule 2: names and values go out as they are, in their order. Nothing in them ends a line: each line
        of the head is one that was meant, or nothing is sent.
Rule 3: a body is as long as the head says, or it is not sent to its end.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from router.departure import Departure

if TYPE_CHECKING:
    from router.call import Outgoing

__all__ = ["Written"]

TARGET = re.compile(rb"[!-~]+")
LENGTHS = frozenset(map(len, (b"content-length", b"transfer-encoding", b"connection", b"upgrade")))
PADDED = (b" \r\n", b"\t\r\n", b":  ", b": \t")
"""Where a value has blanks around it, one of these stands in the head."""
MOST_DIGITS = 20
"""Of a length; Python reads no more than 4300."""
ILLEGAL = "a line of the request's head is not valid HTTP"
LENGTH = "Content-Length is not one number"
CODING = "only Transfer-Encoding: chunked is supported, and without Content-Length"
TOO_MUCH = "too much data for declared Content-Length"
TOO_LITTLE = "too little data for declared Content-Length"


class Written:
    """A request's head as bytes, and what is still to come of its body.

    Attributes:
        head: the request line and the headers.
        late: what ended the writing, where its time did and something had come.
        closes: whether the connection is not used again.
        upgrades: whether another protocol is asked for.
    """

    __slots__ = ("_chunked", "_core", "_left", "closes", "head", "late", "upgrades")

    def __init__(self, request: Outgoing, core: Any) -> None:
        """Make the head now.

        Raises:
            LocalProtocolError: of the core; it cannot be sent.
        """
        self._core = core
        self._left: int | None = None
        self.late: Exception | None = None
        self._chunked = self.closes = self.upgrades = False
        headers, target = request.headers, request.target
        if isinstance(headers, Departure):
            target = headers.target() if headers.signs else target
            headers = headers.headers()
        lines = [b"%b: %b\r\n" % pair for pair in headers]
        for name, value in headers:
            if len(name) in LENGTHS:
                self._heed(name, value)
        line = b"%b %b HTTP/1.1\r\n" % (request.method.encode("ascii"), target)
        head = self.head = b"%b%b\r\n" % (line, b"".join(lines))
        count = len(lines) + 2
        if head.count(b"\n") != count or head.count(b"\r") != count:
            raise core.LocalProtocolError(ILLEGAL)
        if b"\0" in head or b"\v" in head or b"\f" in head:  # some servers end a line at these
            raise core.LocalProtocolError(ILLEGAL)
        if any(sign in head for sign in PADDED) and any(v.strip(b" \t") != v for _, v in headers):
            raise core.LocalProtocolError(ILLEGAL)
        if not TARGET.fullmatch(target):
            raise core.LocalProtocolError(ILLEGAL)
        if self._chunked and self._left is not None:
            raise core.LocalProtocolError(CODING)

    def _heed(self, name: bytes, value: bytes) -> None:
        match name.lower():
            case b"content-length":
                short = len(value) <= MOST_DIGITS and value.isdigit()
                if not short or self._left not in {None, int(value)}:
                    raise self._core.LocalProtocolError(LENGTH)
                self._left = int(value)
            case b"transfer-encoding":
                if value.lower() != b"chunked" or self._chunked:
                    raise self._core.LocalProtocolError(CODING)
                self._chunked = True
            case b"connection":
                self.closes = self.closes or b"close" in value.lower()
            case b"upgrade":
                self.upgrades = True
            case _:
                pass

    def framed(self, data: bytes) -> bytes:
        """Return a part of the body as it is sent.

        Raises:
            LocalProtocolError: of the core; more comes than the head said.
        """
        if self._chunked:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self._left = (self._left or 0) - len(data)
        if self._left < 0:
            raise self._core.LocalProtocolError(TOO_MUCH)
        return data

    def end(self) -> bytes:
        """Return what is sent behind the body.

        Raises:
            LocalProtocolError: of the core; less came than the head said.
        """
        if self._chunked:
            return b"0\r\n\r\n"
        if self._left:
            raise self._core.LocalProtocolError(TOO_LITTLE)
        return b""
