"""The Date header: one format, letter for letter, and only where it tells the server's time."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.clock.http_date import date_of, parse_date

SECOND = 1_785_155_377.0
DATE = b"Mon, 27 Jul 2026 12:29:37 GMT"
OTHER = b"Mon, 27 Jul 2026 12:29:38 GMT"
FIRST, LAST = datetime(2025, 1, 1, tzinfo=UTC), datetime(2200, 12, 31, 23, 59, 59, tzinfo=UTC)


@given(st.integers(int(FIRST.timestamp()), int(LAST.timestamp())))
def test_what_a_server_may_write_is_read(second: int) -> None:
    assert parse_date(formatdate(second, usegmt=True).encode()) == second


def test_a_known_date_is_read() -> None:
    assert parse_date(DATE) == SECOND


WRONG = [
    b"",
    b"now",
    b"Monday, 27-Jul-26 12:29:37 GMT",  # RFC 850
    b"Mon Jul 27 12:29:37 2026",  # asctime
    b"Mon, 27 Jul 2026 12:29:37 UTC",
    b"Mon, 27 Jul 2026 12:29:37 +0000",
    b"Mon, 27 Jul 2026 12:29:37 gmt",
    b"mon, 27 Jul 2026 12:29:37 GMT",
    b"Mon, 27 jul 2026 12:29:37 GMT",
    b"Mon, 27 Juli 2026 12:29:37 GM",
    b"Mon, 27 Xxx 2026 12:29:37 GMT",
    b"Tue, 27 Jul 2026 12:29:37 GMT",  # it was a Monday
    b"Mon, 7  Jul 2026 12:29:37 GMT",
    b"Tue, 30 Feb 2027 12:29:37 GMT",
    b"Mon, 00 Jul 2026 12:29:37 GMT",
    b"Mon, 27 Jul 2026 24:29:37 GMT",
    b"Mon, 27 Jul 2026 12:60:37 GMT",
    b"Sat, 31 Dec 2044 23:59:60 GMT",  # a leap second has no Unix time of its own
    b" Mon, 27 Jul 2026 12:29:37 GM",
    b"Mon, 27 Jul 2026 12:29:37 GMT ",
    b"Mon, 27 Jul 2026 12:29:37 GM\xd4",
    b"Mon, \xb2\xb7 Jul 2026 12:29:37 GMT",
    b"Tue, 31 Dec 2024 23:59:59 GMT",
    b"Sun, 06 Nov 1994 08:49:37 GMT",
    b"Thu, 01 Jan 2201 00:00:00 GMT",
    b"Mon, 27 Jul 9999 12:29:37 GMT",
    b"Mon, 27 Jul 0000 12:29:37 GMT",
]


@pytest.mark.parametrize("value", WRONG)
def test_nothing_else_is_read(value: bytes) -> None:
    assert parse_date(value) is None


@given(st.integers(0, len(DATE) - 1), st.integers(0, 255))
def test_no_letter_can_be_another_without_being_another_second(place: int, letter: int) -> None:
    forged = DATE[:place] + bytes([letter]) + DATE[place + 1 :]
    second = parse_date(forged)
    assert second is None or formatdate(second, usegmt=True).encode() == forged


PLAIN = [(b"Server", b"one"), (b"Content-Length", b"0"), (b"Etag", b"x"), (b"Via", b"y")]
HEADERS = [
    ("no Date", [], None),
    ("a Date", [(b"Date", DATE)], SECOND),
    ("in capitals", [(b"DATE", DATE)], SECOND),
    ("in small letters", [(b"date", DATE)], SECOND),
    ("one that cannot be read", [(b"date", b"now")], None),
    ("two", [(b"date", DATE), (b"Date", OTHER)], None),
    ("two that agree", [(b"date", DATE), (b"Date", DATE)], None),
    ("out of a cache", [(b"date", DATE), (b"Age", b"7")], None),
    ("out of a cache, told before", [(b"aGE", b"0"), (b"date", DATE)], None),
    ("names of the same length", [(b"data", OTHER), (b"Agf", b"1"), (b"date", DATE)], SECOND),
]


@pytest.mark.parametrize(("headers", "second"), [row[1:] for row in HEADERS])
def test_which_answers_tell_the_time(
    headers: list[tuple[bytes, bytes]], second: float | None
) -> None:
    chance = random.Random(1)
    for _ in range(10):
        mixed = [*PLAIN]
        for header in headers:
            mixed.insert(chance.randrange(len(mixed) + 1), header)
        assert date_of(mixed) == second
    assert date_of(iter(headers)) == second
