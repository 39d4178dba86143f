"""Server-sent events are let through whole, byte for byte, and their last id is known."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.streams import events as module
from router.streams.events import Events, after

LINES = st.sampled_from(
    [b"data: a", b"data", b": comment", b"id: 7", b"id", b"event: x", b"retry: 50", b"odd"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    end = draw(ENDS)
    blocks = draw(st.lists(st.lists(LINES, min_size=1, max_size=4), max_size=6))
    text = b"".join(b"".join(line + end for line in block) + end for block in blocks)
    return (
        draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + text + draw(st.sampled_from([b"", b"da"]))
    )


@given(streams(), st.lists(st.integers(0, 200), max_size=8))
def test_whatever_the_cuts_all_bytes_come_in_order(stream: bytes, cuts: list[int]) -> None:
    read, places = Events(), [0, *sorted(cuts), len(stream) + 200]
    parts = [read.take(stream[a:b]) for a, b in itertools.pairwise(places)]
    whole = Events()
    assert b"".join(parts) + read.rest() == stream
    assert all(part.endswith((b"\n", b"\r")) for part in parts if part)
    whole.take(stream)
    assert (read.last_id, read.retry) == (whole.last_id, whole.retry)


def test_an_event_is_kept_back_until_it_is_complete() -> None:
    read = Events()
    assert read.take(b"id: 1\ndata: a\n\nid: 2\nda") == b"id: 1\ndata: a\n\n"
    assert after(read) == ((b"Last-Event-ID", b"1"),)
    assert read.take(b"ta: b\n") == b""
    assert read.take(b"\n") == b"id: 2\ndata: b\n\n"
    assert after(read) == ((b"Last-Event-ID", b"2"),)


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_all_three_ends_of_lines_are_known(end: bytes) -> None:
    read = Events()
    event = b"id: 1" + end + b"data: a" + end + end
    assert read.take(event + b"id: 2" + end) == event
    assert read.place == b"1"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"data: a\n\n", None),
        (b"id: 1\ndata: a\n\ndata: b\n\n", None),
        (b"id: 1\ndata: a\n\ndata: b\n\nid: 3\ndata: c\n\n", b"3"),
        (b"id: 1\ndata: a\n\n: ping\n\n", b"1"),
        (b"id: 1\n\n", b"1"),
        (b"id: 1\0\ndata: a\n\n", None),
        (b"id: 1 \ndata: a\n\n", None),
        (b"id\ndata: a\n\n", None),
        ("id: ü\ndata: a\n\n".encode(), "ü".encode()),
    ],
)
def test_there_is_a_place_to_go_on_from_only_if_nothing_would_come_twice(
    text: bytes, place: bytes | None
) -> None:
    read = Events()
    read.take(text)
    assert read.place == place


def test_the_servers_wish_for_a_wait_is_heard() -> None:
    read = Events()
    read.take(b"retry: 1500\n\nretry: soon\n\n")
    assert read.retry == 1.5


def test_a_monstrous_event_is_let_through_and_nothing_goes_on_after_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 100)
    read = Events()
    assert read.take(b"id: 1\ndata: a\n\n") != b""
    assert read.take(b"data: " + b"x" * 200) == b"data: " + b"x" * 200
    assert read.take(b"y") == b"y"
    assert read.place is None
