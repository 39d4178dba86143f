"""The head of a request: as it was given, in lines that were meant, and true about its body."""

from __future__ import annotations

import time
from typing import Any

import httpcore
import pytest

import router
from router.call import Body, Outgoing, Timeouts
from router.wires.written import Written

ENDPOINT = router.Endpoint(url="http://a.test")


def written(*headers: tuple[bytes, bytes], method: str = "GET", target: bytes = b"/") -> Written:
    timeouts = Timeouts({}, time.monotonic() + 1.0, pause=1.0, now=time.monotonic)
    body = Body([b""], replayable=True)
    return Written(Outgoing(method, ENDPOINT, target, list(headers), body, timeouts, {}), httpcore)


def test_it_is_what_was_given_line_by_line() -> None:
    made = written((b"Host", b"a"), (b"x-B", b"\xe9"), (b"X-a", b""), target=b"/p?q=%20")
    assert made.head == b"GET /p?q=%20 HTTP/1.1\r\nHost: a\r\nx-B: \xe9\r\nX-a: \r\n\r\n"


@pytest.mark.parametrize(
    "given",
    [
        {"headers": [(b"X", b"a\r\nX-Admin: 1")]},
        {"headers": [(b"X", b"a\nX-Admin: 1")]},
        {"headers": [(b"X", b"a\rb")]},
        {"headers": [(b"X", b"a\0b")]},
        {"headers": [(b"X", b"a\vb")]},
        {"headers": [(b"X", b"a\fb")]},
        {"headers": [(b"X", b" a")]},
        {"headers": [(b"X", b"a\t")]},
        {"headers": [(b"X", b"\ta")]},
        {"headers": [(b"X", b"a ")]},
        {"headers": [(b"X: 1\r\nX-Admin", b"1")]},
        {"target": b"/ HTTP/1.1\r\nX-Admin: 1\r\n\r\n"},
        {"target": b"/a b"},
        {"target": b""},
        {"headers": [(b"Content-Length", b"+1")]},
        {"headers": [(b"Content-Length", b"")]},
        {"headers": [(b"Content-Length", b"1".rjust(5000, b"0"))]},
        {"headers": [(b"Content-Length", b"1"), (b"content-length", b"2")]},
        {"headers": [(b"Content-Length", b"1"), (b"Transfer-Encoding", b"chunked")]},
        {"headers": [(b"Transfer-Encoding", b"gzip")]},
        {"headers": [(b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"chunked")]},
    ],
)
def test_what_could_be_read_in_two_ways_is_not_sent(given: dict[str, Any]) -> None:
    with pytest.raises(httpcore.LocalProtocolError) as caught:
        written(*given.get("headers", ()), target=given.get("target", b"/"))
    assert "Admin" not in str(caught.value)


def test_a_body_is_as_long_as_the_head_says() -> None:
    made = written((b"content-length", b"4"))
    assert made.framed(b"ab") + made.framed(b"") + made.framed(b"cd") + made.end() == b"abcd"
    with pytest.raises(httpcore.LocalProtocolError, match="too much"):
        made.framed(b"e")


def test_an_empty_value_is_written_as_it_is() -> None:
    assert b"\r\nX: \r\n" in written((b"X", b""), (b"Y", b"a:  b")).head


@pytest.mark.parametrize("headers", [[], [(b"Content-Length", b"1")]])
def test_a_body_that_was_not_announced_is_not_sent(headers: list[tuple[bytes, bytes]]) -> None:
    with pytest.raises(httpcore.LocalProtocolError, match="too much"):
        written(*headers).framed(b"ab")


def test_one_that_ends_early_is_not_ended() -> None:
    with pytest.raises(httpcore.LocalProtocolError, match="too little"):
        written((b"Content-Length", b"1")).end()


def test_chunks_say_their_size_and_none_is_empty() -> None:
    made = written((b"Transfer-Encoding", b"Chunked"))
    assert made.framed(b"x" * 17) + made.framed(b"") + made.end() == b"11\r\n%b\r\n0\r\n\r\n" % (
        b"x" * 17
    )


@pytest.mark.parametrize("value", [b"close", b"keep-alive, Close"])
def test_who_wants_the_connection_closed_has_it_closed(value: bytes) -> None:
    assert written((b"Connection", value)).closes
    assert not written((b"Connection", b"keep-alive")).closes
