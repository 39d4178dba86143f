"""Ready-made answers, as a plain httpx client gets them."""

from __future__ import annotations

import tracemalloc
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from router.testing import Region, Regions, Reply
from router.testing.replies import (
    always,
    big_header,
    gzip_bomb,
    in_seconds,
    json,
    oversized,
    rate_limited,
    redirect,
    script,
    sse,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def near() -> Iterator[Region]:
    with Regions(near=0.0) as regions:
        yield regions["near"]


def get(region: Region, reply: Reply) -> httpx.Response:
    region.respond = always(reply)
    return httpx.get(region.url)


@pytest.mark.parametrize(
    ("given", "sent"),
    [(1, "1"), (0.5, "0.5"), (-3, "-3"), (10**12, "1000000000000"), ("soon", "soon")],
)
def test_retry_after_is_sent_as_it_is_given(near: Region, given: float | str, sent: str) -> None:
    response = get(near, rate_limited(given))
    assert (response.status_code, response.headers["retry-after"]) == (429, sent)


def test_retry_after_may_be_a_date(near: Region) -> None:
    response = get(near, unavailable(in_seconds(60)))
    assert response.status_code == 503
    until, now = (parsedate_to_datetime(response.headers[n]) for n in ("retry-after", "date"))
    assert 58 <= (until - now).total_seconds() <= 61


def test_retry_after_may_be_in_milliseconds_or_missing(near: Region) -> None:
    assert get(near, rate_limited(ms=250)).headers["retry-after-ms"] == "250"
    assert "retry-after" not in get(near, rate_limited()).headers


def test_a_redirect_says_where_to(near: Region) -> None:
    response = get(near, redirect("http://elsewhere.test/x", 302))
    assert (response.status_code, response.headers["location"]) == (302, "http://elsewhere.test/x")


def test_json_and_events(near: Region) -> None:
    assert get(near, json({"a": [1]}, 201)).json() == {"a": [1]}
    response = get(near, sse([{"n": 1}, "[DONE]"], pause=0.01))
    assert response.headers["content-type"] == "text/event-stream"
    assert response.text == 'data: {"n": 1}\n\ndata: [DONE]\n\n'


@pytest.mark.parametrize("length", [True, False])
def test_an_oversized_body_is_never_held_whole(near: Region, *, length: bool) -> None:
    size = 50_000_001
    near.respond = always(oversized(size, length=length))
    tracemalloc.start()
    with httpx.stream("GET", near.url) as response:
        assert sum(len(part) for part in response.iter_raw()) == size
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 5_000_000


def test_a_client_that_leaves_an_oversized_body_ends_it(near: Region) -> None:
    near.respond = always(oversized(2**40))
    with httpx.stream("GET", near.url) as response:
        assert response.headers["content-length"] == str(2**40)
        next(response.iter_raw())
    assert get(near, Reply()).status_code == 200


def test_a_big_header_is_too_big_for_a_parser(near: Region) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        get(near, big_header(1_000_000))
    assert len(get(near, big_header(20_000)).headers["x-big-0"]) == 8000


def test_a_gzip_bomb_is_small_on_the_wire(near: Region) -> None:
    response = get(near, gzip_bomb(5_000_000))
    assert len(response.content) == 5_000_000
    assert near.bytes_sent < 20_000


def test_a_script_gives_one_after_the_other_and_then_its_last(near: Region) -> None:
    near.respond = script(rate_limited(1), lambda request: json(request.target), Reply(204))
    with httpx.Client() as client:
        answers = [client.get(near.url + "/x") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [429, 200, 204, 204]
    assert answers[1].json() == "/x"


def test_a_script_needs_a_reply() -> None:
    with pytest.raises(ValueError, match="at least one"):
        script()


def test_a_name_may_come_more_than_once_in_a_head(near: Region) -> None:
    response = get(near, Reply(headers=[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]))
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]


def test_raw_bytes_are_sent_as_they_are_and_end_the_connection(near: Region) -> None:
    near.respond = always(Reply(raw=b"HTTP/1.0 299 Odd\r\nX: 1\r\n\r\nto the end"))
    with httpx.Client() as client:
        answers = [client.get(near.url) for _ in range(2)]
    assert [(answer.status_code, answer.text) for answer in answers] == [(299, "to the end")] * 2
    assert near.connections == 2
