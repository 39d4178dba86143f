"""The Date header of an answer, read on every response and so made quick.

Rule 1: only the one format that RFC 9110 lets a sender write counts, letter for letter: what is
        read must be what would be written for that second. Locale plays no part.
Rule 2: an answer with an Age comes from a cache, and so does its Date: it tells nothing. Nor do two
        Dates, one of which must be somebody else's.
"""

from __future__ import annotations

import calendar
import functools
import re
from email.utils import formatdate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["date_of", "parse_date"]

LENGTH = len(b"Sun, 06 Nov 1994 08:49:37 GMT")
FORM = re.compile(rb"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
MONTHS = b"Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
FIRST_YEAR, LAST_YEAR = 2025, 2200


def date_of(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """Return an answer's Date in Unix seconds; None without a valid one, with two, or with an Age.

    Args:
        headers: names and values; a name's case does not matter.
    """
    found = None
    for name, value in headers:
        size = len(name)
        if size == 4 and name.lower() == b"date":  # noqa: PLR2004 - the name's own length
            if found is not None:
                return None
            found = value
        elif size == 3 and name.lower() == b"age":  # noqa: PLR2004 - the name's own length
            return None
    return None if found is None else parse_date(found)


def parse_date(value: bytes) -> float | None:
    """Return the Unix seconds of an IMF-fixdate from 2025 to 2200; None for anything else."""
    return _parse(value) if len(value) == LENGTH else None


@functools.lru_cache(maxsize=64)
def _parse(value: bytes) -> float | None:
    match = FORM.fullmatch(value)
    if match is None or match[2] not in MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (1, 3, 4, 5, 6))
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    unix = calendar.timegm((year, MONTHS.index(match[2]) + 1, day, hour, minute, second))
    return float(unix) if formatdate(unix, usegmt=True).encode() == value else None
