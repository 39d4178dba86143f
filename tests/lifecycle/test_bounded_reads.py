"""What others send without end is read to a bound: probes, token requests, files (F45)."""

from __future__ import annotations

import asyncio
import gzip
import ssl
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from raw_server import EMPTY, Answer, RawServer

import router
from router.auth.grant import TokenForm
from router.auth.oauth import OAuthFetcher
from router.config import load
from router.config.document import LARGEST
from router.errors import ConfigError, TokenError
from router.latency.probe import ProbeError, measure

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SECRET = router.Secret("demo")
GIB, MIB = 2**30, 2**20
PIECE = b"x" * 2**16
LIMIT = MIB // 2
"""Bytes of a head and a body, 64 KiB each, and of what asyncio takes from a socket at once."""


OK = b"HTTP/1.1 200 OK\r\n"
EMPTY_BODY = b"Content-Length: 0\r\n\r\n"
PACKED = gzip.compress(bytes(50 * 10**6))
assert len(PACKED) < 60_000, "50 kB or so that unpack to 50 MB"


def answer(head: bytes, *, size: int, piece: bytes = PIECE, end: bytes = b"") -> Answer:
    """Return an answer that is sent in pieces, `size` bytes of them, and held by nobody."""

    async def pieces() -> AsyncIterator[bytes]:
        yield OK + head
        for _ in range(size // len(piece)):
            yield piece
        yield end

    return pieces


ANSWERS: dict[str, Answer] = {
    "1 GiB of a body": answer(b"Content-Length: %d\r\n\r\n" % GIB, size=GIB),
    "1 GiB in one chunk": answer(
        b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % GIB, size=GIB, end=b"\r\n0\r\n\r\n"
    ),
    "1 MiB in one header": answer(b"X-Huge: ", size=MIB, end=b"\r\n" + EMPTY_BODY),
    "1 MiB of headers": answer(b"", size=MIB, piece=b"X: 0123456789\r\n" * 64, end=EMPTY_BODY),
    "50 MB in 50 kB of gzip": answer(
        b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(PACKED),
        size=len(PACKED),
        piece=PACKED,
    ),
}
REFUSED_BY_A_PROBE = {"1 MiB in one header", "1 MiB of headers"}


def peak_of(work: Callable[[], None]) -> int:
    """Return by how many bytes memory grew at most while it was done."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ANSWERS)
def test_a_probe_reads_no_more_than_it_must(name: str) -> None:
    def probe() -> None:
        endpoint = router.Endpoint(url=server.url)
        settings = router.Probe(method="GET", timeout=10.0)
        asyncio.run(_probe(endpoint, settings, refused=name in REFUSED_BY_A_PROBE))

    with RawServer(ANSWERS[name]) as server:
        assert peak_of(probe) < 2 * LIMIT


async def _probe(endpoint: router.Endpoint, settings: router.Probe, *, refused: bool) -> None:
    if refused:
        with pytest.raises(ProbeError):
            await measure(endpoint, settings, tls=None)
    else:
        assert (await measure(endpoint, settings, tls=None)).status == 200


@pytest.mark.parametrize("name", ANSWERS)
def test_a_token_request_reads_no_more_than_it_must(name: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def fetch() -> None:
        settings = router.TokenSettings(
            url=server.url, client_id="demo", client_secret=SECRET, timeout=10.0
        )
        with pytest.raises(TokenError):
            asyncio.run(OAuthFetcher(settings, ssl_context=context)(TokenForm.of(settings, None)))

    with RawServer(EMPTY) as server:
        fetch()  # what is imported and kept is no part of it
        server.answer = ANSWERS[name]
        assert peak_of(fetch) < 2 * LIMIT


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(GIB)


FILES: dict[str, Callable[[Path], object]] = {
    "1 GiB": sparse,
    "50 kB that unpack to 50 MB": lambda path: path.write_bytes(PACKED),
    "one line of 5 MiB": lambda path: path.write_bytes(b"#" + b"x" * 5 * MIB),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("as_secret", [False, True])
def test_a_file_is_read_to_its_bound(name: str, tmp_path: Path, *, as_secret: bool) -> None:
    huge, path = tmp_path / "huge", tmp_path / "routes.yaml"
    FILES[name](huge)
    token = f"{{url: 'https://t.test', client_id: a, client_secret: {{file: {huge}}}}}"
    path.write_text(f"endpoints: ['https://a.test']\ntoken: {token}\n")

    def read() -> None:
        with pytest.raises(ConfigError):
            load(path if as_secret else huge)

    read()
    assert peak_of(read) < 2 * LARGEST
