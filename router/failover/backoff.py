"""How long to wait before the next attempt, and when a server says so itself.

Rule: nothing here waits; a wait is a number of seconds that the flow hands to its port.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Iterable

    from router.config.settings import Backoff

__all__ = ["jittered", "retry_after"]

SECONDS = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")


def jittered(backoff: Backoff, *, retries: int, chance: random.Random) -> float:
    """Return full-jitter seconds: uniform up to base * factor^retries, capped."""
    exponent = min(retries, 64)
    ceiling = min(backoff.cap, backoff.base * backoff.factor**exponent)
    return chance.uniform(0.0, ceiling)


def retry_after(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return the seconds that `Retry-After` asks for, or None where it says nothing usable.

    A date is read against the response's own Date, so that neither clock has to be right.
    """
    fields = {name.lower(): value for name, value in headers}
    text = fields.get(b"retry-after", b"").strip()
    if not text:
        return None
    if SECONDS.fullmatch(text):
        return float(text)
    target, sent = _date(text), _date(fields.get(b"date", b""))
    return None if target is None or sent is None else max(0.0, target - sent)


def _date(text: bytes) -> float | None:
    try:
        return parsedate_to_datetime(text.decode("ascii")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeDecodeError):
        return None
