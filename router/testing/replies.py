"""Replies of servers in trouble, and of hostile ones, ready made.

    region.respond = script(rate_limited(1), rate_limited(1), Reply())

Rule 1: each function returns a Reply; `script` and `always` make of Replies what `respond` takes.
Rule 2: what is large is never held in memory by the server: it is made while it is sent.
"""

from __future__ import annotations

import itertools
import json as jsons
import threading
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

from router.testing.messages import Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from router.testing.messages import Received

__all__ = [
    "always",
    "big_header",
    "gzip_bomb",
    "in_seconds",
    "json",
    "oversized",
    "rate_limited",
    "redirect",
    "script",
    "sse",
    "unavailable",
]

PIECE = 64 * 1024
LINE = 8000
"""Bytes of a header line: most parsers limit a line, so a big head has many."""


def rate_limited(
    retry_after: float | str | datetime | None = None,
    *,
    ms: float | None = None,
    status: int = 429,
) -> Reply:
    """Return 429 Too Many Requests.

    Args:
        retry_after: seconds, of any sign and size; a datetime is sent as a date beside a `Date` of
            now; a text is sent as it is, such as `soon`; None leaves the header out.
        ms: milliseconds for `retry-after-ms`, as some APIs send.
        status: another one.
    """
    headers = [] if ms is None else [("retry-after-ms", f"{ms:g}")]
    if isinstance(retry_after, datetime):
        headers.append(("Date", format_datetime(datetime.now(UTC), usegmt=True)))
        retry_after = format_datetime(retry_after.astimezone(UTC), usegmt=True)
    if retry_after is not None:
        headers.append(("Retry-After", str(retry_after)))
    return Reply(status, headers)


def unavailable(
    retry_after: float | str | datetime | None = None, *, ms: float | None = None
) -> Reply:
    """Return 503 Service Unavailable; arguments as of `rate_limited`."""
    return rate_limited(retry_after, ms=ms, status=503)


def redirect(to: str, status: int = 307) -> Reply:
    """Return a redirect to another URL."""
    return Reply(status, {"Location": to})


def json(value: Any, status: int = 200) -> Reply:
    """Return a value as JSON."""
    return Reply(status, {"Content-Type": "application/json"}, jsons.dumps(value).encode())


def sse(events: Iterable[str | dict[str, Any]], pause: float = 0.0) -> Reply:
    """Return server-sent events, `pause` seconds apart; a dict is sent as JSON."""
    texts = [event if isinstance(event, str) else jsons.dumps(event) for event in events]
    chunks = tuple(f"data: {text}\n\n".encode() for text in texts)
    return Reply(headers={"Content-Type": "text/event-stream"}, chunks=chunks, pause=pause)


def oversized(size: int, status: int = 200, *, length: bool = True) -> Reply:
    """Return a body of so many bytes; with `length=False` its size is not told beforehand."""
    headers = {"Content-Length": str(size)} if length else {}
    return Reply(status, headers, chunks=_Pieces(size))


def big_header(size: int, status: int = 200) -> Reply:
    """Return a head of at least so many bytes, in lines of 8 kB."""
    lines = [(f"X-Big-{number}", "x" * LINE) for number in range(-(-size // LINE))]
    return Reply(status, lines)


def gzip_bomb(size: int, status: int = 200) -> Reply:
    """Return a gzip body, about a thousandth of the `size` in bytes that it is decompressed."""
    return Reply(status, {"Content-Encoding": "gzip"}, chunks=_Compressed(size))


class _Pieces:
    """So many bytes, a piece at a time, as often as they are asked for."""

    def __init__(self, size: int) -> None:
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        whole, rest = divmod(self._size, PIECE)
        return filter(None, itertools.chain(itertools.repeat(bytes(PIECE), whole), (bytes(rest),)))


class _Compressed(_Pieces):
    """The same bytes, compressed with gzip."""

    def __iter__(self) -> Iterator[bytes]:
        packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
        packed = (packer.compress(piece) for piece in super().__iter__())
        yield from filter(None, packed)
        yield packer.flush()


def always(reply: Reply) -> Callable[[Received], Reply]:
    """Return a `respond` that gives one Reply to everything."""
    return lambda _: reply


def script(*replies: Reply | Callable[[Received], Reply]) -> Callable[[Received], Reply]:
    """Return a `respond` that gives one after the other, and the last for ever after."""
    lock, left = threading.Lock(), list(replies)
    if not left:
        raise ValueError("a script needs at least one reply")

    def respond(request: Received) -> Reply:
        with lock:
            reply = left.pop(0) if len(left) > 1 else left[0]
        return reply if isinstance(reply, Reply) else reply(request)

    return respond


def in_seconds(seconds: float) -> datetime:
    """Return the time that is so many seconds from now, for `retry_after`."""
    return datetime.now(UTC) + timedelta(seconds=seconds)
