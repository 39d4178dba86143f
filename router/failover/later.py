"""When a server says to come back: `Retry-After` in its forms, and `retry-after-ms`.

Rule 1: a date is read against the response's own Date, so that neither clock has to be right;
        without one, against ours.
Rule 2: what cannot be read, and what lies in the past, says nothing.
Rule 3: where both headers are there, the one that says milliseconds is the finer word.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["retry_after"]

NUMBER = re.compile(rb"[0-9]{1,100}(\.[0-9]{1,100})?")
MOST = 1e9  # seconds
MS = 1e-3


def retry_after(headers: Iterable[tuple[bytes, bytes]], wall: Callable[[], float]) -> float | None:
    """Return the seconds for which a server asks to be left alone, or None if it does not.

    Args:
        headers: the answer's, as they came.
        wall: tells the present in seconds since 1970; asked only where nothing else is known.
    """
    fields = {name.lower(): value.strip() for name, value in headers}
    finer = _number(fields.get(b"retry-after-ms", b""))
    if finer:
        return min(finer * MS, MOST)
    text = fields.get(b"retry-after", b"")
    seconds = _number(text)
    if seconds is None and (target := _date(text)) is not None:
        sent = _date(fields.get(b"date", b""))
        seconds = target - (wall() if sent is None else sent)
    return min(seconds, MOST) if seconds is not None and seconds > 0 else None


def _number(text: bytes) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _date(text: bytes) -> float | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text.decode("ascii")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeDecodeError):
        return None
