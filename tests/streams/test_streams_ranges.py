"""The rest of a download is asked for under a validator, and only the very same bytes will do."""

from __future__ import annotations

import pytest

from router.streams.head import Head
from router.streams.ranges import rest_of, why_not_the_rest

MODIFIED = "Sat, 01 Mar 2025 10:00:00 GMT"


def head(status: int = 200, **fields: str) -> Head:
    pairs = [(n.replace("_", "-").encode(), v.encode()) for n, v in fields.items()]
    return Head.of(status, pairs)


@pytest.mark.parametrize(
    ("first", "asked"),
    [
        (head(etag='"a"', content_length="10"), (b"bytes=4-9", b'"a"')),
        (head(etag='"a"'), (b"bytes=4-", b'"a"')),
        (head(206, etag='"a"', content_range="bytes 5-20/30"), (b"bytes=9-20", b'"a"')),
        (
            head(last_modified=MODIFIED, date="Sat, 01 Mar 2025 10:00:02 GMT"),
            (b"bytes=4-", MODIFIED.encode()),
        ),
        (head(last_modified=MODIFIED, date=MODIFIED), None),
        (head(last_modified=MODIFIED), None),
        (head(last_modified="yesterday", date=MODIFIED), None),
        (head(etag='W/"a"', last_modified=MODIFIED), None),
        (head(etag="a"), None),
        (head(etag='"a"', accept_ranges="none"), None),
        (head(etag='"a"', content_length="4"), None),
        (head(206, etag='"a"', content_type="multipart/byteranges; boundary=x"), None),
        (head(201, etag='"a"'), None),
    ],
)
def test_the_rest_is_asked_for_only_where_it_can_be_known_to_be_the_rest(
    first: Head, asked: tuple[bytes, bytes] | None
) -> None:
    found = rest_of(first, 4)
    assert (None if found is None else tuple(value for _, value in found)) == asked


FIRST = head(etag='"a"', content_length="10", content_encoding="gzip")


@pytest.mark.parametrize(
    ("other", "why_not"),
    [
        (head(206, etag='"a"', content_range="bytes 4-9/10"), None),
        (head(206, etag='"a"', content_range="bytes 4-9/10", content_encoding="gzip"), None),
        (head(206, etag='"a"', content_range="bytes 4-9/*"), None),
        (head(206, etag='"a"', content_range="bytes 4-9/10", content_encoding="br"), "coding"),
        (head(206, etag='"a"', content_range="bytes 3-9/10"), "other bytes"),
        (head(206, etag='"a"', content_range="bytes 4-8/10"), "other bytes"),
        (head(206, etag='"a"', content_range="bytes 4-9/11"), "other bytes"),
        (head(206, etag='"b"', content_range="bytes 4-9/10"), "not what was begun"),
        (head(206, content_range="bytes 4-9/10"), "not what was begun"),
        (head(206, etag='"a"'), "answered 206"),
        (head(206, etag='"a"', content_range="bytes 9-4/10"), "answered 206"),
        (head(200, etag='"a"', content_length="10"), "not what was begun"),
        (head(416, content_range="bytes */10"), "answered 416"),
        (head(503), "answered 503"),
    ],
)
def test_only_the_very_rest_is_accepted(other: Head, why_not: str | None) -> None:
    found = why_not_the_rest(FIRST, 4, other)
    assert found is None if why_not is None else why_not in (found or "")


def test_a_body_of_unknown_length_goes_on_to_the_end_of_all() -> None:
    first = head(etag='"a"')
    assert why_not_the_rest(first, 4, head(206, etag='"a"', content_range="bytes 4-9/10")) is None
    assert why_not_the_rest(first, 4, head(206, etag='"a"', content_range="bytes 4-8/10"))
    assert why_not_the_rest(first, 4, head(206, etag='"a"', content_range="bytes 4-9/*"))
