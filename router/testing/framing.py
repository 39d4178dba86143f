"""Where a request ends, for a proxy that has to read one in full.

Rule: HTTP/1.1 by its own framing; of any other protocol, what comes at once is a request.
"""

from __future__ import annotations

import re

import h11

__all__ = ["RequestEnd"]

HTTP = re.compile(rb"[A-Z]{1,20}( |$)")


class RequestEnd:
    """Feed it the bytes of one request."""

    __slots__ = ("_begun", "_connection")

    def __init__(self) -> None:
        self._begun = False
        self._connection = h11.Connection(h11.SERVER)

    def reached(self, data: bytes) -> bool:
        """Return whether the request is complete with these bytes."""
        if not self._begun and not HTTP.match(data):
            return True
        self._begun = True
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    return False
                if isinstance(event, h11.EndOfMessage):
                    return True
        except h11.ProtocolError:
            return True
