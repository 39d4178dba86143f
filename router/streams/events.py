"""Going on with server-sent events (WHATWG HTML, 9.2): each event is delivered whole and once.

Rule 1: bytes of an event that is not complete are kept back until it is. If the stream breaks, they
        are dropped; the next stream brings the event again.
Rule 2: there is a place to go on from only if the last event delivered has an id of its own: what
        came after an id without one would come twice.
Rule 3: nothing is changed on the way: what is let through are the bytes that came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.call import Header
    from router.streams.head import Head

__all__ = ["MEDIA_TYPE", "Events", "after", "are_events", "why_not_events"]

MEDIA_TYPE = b"text/event-stream"
MOST_HELD = 1024 * 1024
END = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
LINE = re.compile(rb"\r\n|\n|\r")
OK = 200
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
OVERLAP = 3  # an end that began in what was searched before
SENDABLE = re.compile(rb"[!-~\x80-\xff](?:[ -~\x80-\xff]{0,998}[!-~\x80-\xff])?")


class Events:
    """Lets whole events through, and remembers from where one could go on.

    Attributes:
        last_id: the id in force after what was let through; None: there was none.
        retry: seconds that the server wants between a break and a new request, or None.
    """

    def __init__(self) -> None:
        self._held = bytearray()
        self._ids_cover_all = True
        self._gave_up = False
        self.last_id: bytes | None = None
        self.retry: float | None = None

    @property
    def place(self) -> bytes | None:
        """The id to go on from, or None where events would be lost or come twice."""
        found = self.last_id
        if self._gave_up or not self._ids_cover_all or found is None:
            return None
        return found if SENDABLE.fullmatch(found) else None

    def take(self, chunk: bytes) -> bytes:
        """Take what came; return what of it, and of what was kept back, is now complete."""
        if self._gave_up:
            return chunk
        held = self._held
        searched = max(0, len(held) - OVERLAP)
        held += chunk
        end = max((match.end() for match in END.finditer(held, searched)), default=0)
        if len(held) - end > MOST_HELD:
            self._gave_up, end = True, len(held)
        complete = bytes(held[:end])
        del held[:end]
        if complete:
            self._read(complete)
        return complete

    def rest(self) -> bytes:
        """Return what is left where a stream ends as it should."""
        rest, self._held = bytes(self._held), bytearray()
        return rest

    def restart(self) -> None:
        """Drop what was kept back: another stream begins, and brings it again."""
        self._held = bytearray()

    def _read(self, complete: bytes) -> None:
        has_data, own_id = False, False
        for line in LINE.split(complete.removeprefix(BYTE_ORDER_MARK)):
            name, _, value = line.partition(b":")
            value = value.removeprefix(b" ")
            if not line:
                if own_id or has_data:
                    self._ids_cover_all = own_id
                has_data, own_id = False, False
            elif name == b"data":
                has_data = True
            elif name == b"id" and b"\0" not in value:
                self.last_id, own_id = value, True
            elif name == b"retry" and value.isdigit():
                self.retry = int(value[:9]) / 1e3


def are_events(head: Head) -> bool:
    """Return whether an answer's body is events that can be read as they come."""
    return head.media_type == MEDIA_TYPE and not head.coding


def after(events: Events) -> tuple[Header, ...] | None:
    """Return the headers that ask for what comes after, or None where there is no such place."""
    place = events.place
    return None if place is None else ((b"Last-Event-ID", place),)


def why_not_events(other: Head) -> str | None:
    """Return why an answer does not continue a stream of events, or None if it does."""
    if other.status != OK:
        return f"it answered {other.status} to a request for further events"
    return None if are_events(other) else "it answered with something else than events"
