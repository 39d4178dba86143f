"""Going on with a download: the rest of the same bytes, by a range request (RFC 9110, 14 and 13).

Rule 1: the rest is asked for under a strong validator of what was begun (`If-Range`), so that a
        server with other bytes says so; without one there is no going on.
Rule 2: only a 206 is accepted that begins at the very next byte, ends where the first answer would
        have ended, and shows the same validator and coding; and of its body exactly these bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.call import Header
    from router.streams.head import Head

__all__ = ["Span", "promised", "rest_of", "why_not_the_rest"]

CONTENT_RANGE = re.compile(rb"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.IGNORECASE)
WHOLE, PART = 200, 206
APART = 1.0
"""A date is a strong validator if the answer is this many seconds younger (RFC 9110, 8.8.2.2)."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes an answer holds, of how many; None: not said."""

    first: int
    last: int | None
    total: int | None

    @classmethod
    def of(cls, head: Head) -> Span | None:
        """Return what a head says, or None where it is not one span of bytes."""
        if head.status == WHOLE:
            length = head.length("GET")
            return cls(0, None if length is None else length - 1, length)
        match = CONTENT_RANGE.fullmatch(head.get(b"content-range"))
        if head.status != PART or match is None or int(match[2]) < int(match[1]):
            return None
        return cls(int(match[1]), int(match[2]), None if match[3] == b"*" else int(match[3]))


def promised(head: Head) -> int | None:
    """Return how many bytes a part has to bring by its Content-Range; None: it is no such part."""
    span = Span.of(head) if head.status == PART else None
    return None if span is None or span.last is None else span.last - span.first + 1


def rest_of(head: Head, delivered: int) -> tuple[Header, ...] | None:
    """Return the headers that ask for the rest, or None where it cannot be asked for safely."""
    span, field = Span.of(head), validator(head)
    if span is None or field is None or head.get(b"accept-ranges").lower() == b"none":
        return None
    first, last = span.first + delivered, span.last
    if last is not None and first > last:
        return None
    until = b"" if last is None else b"%d" % last
    return (b"Range", b"bytes=%d-%b" % (first, until)), (b"If-Range", head.get(field))


def why_not_the_rest(head: Head, delivered: int, other: Head) -> str | None:
    """Return why an answer is not the rest of the first one, or None if it is."""
    if other.status == WHOLE:
        return "what it has now is not what was begun"
    begun, rest, field = Span.of(head), Span.of(other), validator(head)
    if other.status != PART or rest is None or begun is None or field is None:
        return f"it answered {other.status} to a request for the rest"
    if rest.first != begun.first + delivered or not _ends_alike(begun, rest):
        return "it answered with other bytes than the rest"
    if other.get(field) != head.get(field):
        return "what it has now is not what was begun"
    if b"content-encoding" in other.fields and other.coding != head.coding:
        return "it answered in another coding"
    return None


def validator(head: Head) -> bytes | None:
    """Return the name of the header that is a strong validator, or None."""
    tag = head.get(b"etag")
    if len(tag) > 1 and tag.startswith(b'"') and tag.endswith(b'"'):
        return b"etag"
    changed, sent = _date(head.get(b"last-modified")), _date(head.get(b"date"))
    if tag or changed is None or sent is None or sent - changed < APART:
        return None
    return b"last-modified"


def _ends_alike(begun: Span, rest: Span) -> bool:
    if None not in (begun.total, rest.total) and begun.total != rest.total:
        return False
    if begun.last is not None:
        return rest.last == begun.last
    return rest.total is not None and rest.last == rest.total - 1


def _date(text: bytes) -> float | None:
    try:
        return parsedate_to_datetime(text.decode("ascii")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeDecodeError):
        return None
