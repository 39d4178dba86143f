"""What servers and callers may not do to HTTP/1.1: over each wire, nothing passes for another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from net_peers import Peer, read_request

import router

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Callable

    Asked = Callable[..., Any]

CLIENTS: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
BLOCKING: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nok?",
    "a negative length": OK + b"Content-Length: -2\r\n\r\nok",
    "a length with a sign": OK + b"Content-Length: +2\r\n\r\nok",
    "a length that is none": OK + b"Content-Length: two\r\n\r\nok",
    "a length with a space before its colon": OK + b"Content-Length : 2\r\n\r\nok",
    "a header without a colon": OK + b"Strange\r\n\r\n",
    "a header with a space before its colon": OK + b"X-Strange : 1\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a value": OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a name": OK + b"X\0: a\r\nContent-Length: 0\r\n\r\n",
    "a bare CR in a value": OK + b"X: a\rContent-Length: 5\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nok",
    "a coding upon chunks": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks upon a coding": OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "chunks said twice": OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n2\r\nok\r\n0\r\n\r\n",
    "a size of a chunk that is none": CHUNKED + b"zz\r\nok\r\n0\r\n\r\n",
    "a negative size of a chunk": CHUNKED + b"-2\r\nok\r\n0\r\n\r\n",
    "an enormous size of a chunk": CHUNKED + b"f" * 32 + b"\r\nok\r\n0\r\n\r\n",
    "a chunk longer than its size": CHUNKED + b"2\r\nokay\r\n0\r\n\r\n",
    "chunks that end early": CHUNKED + b"2\r\nok\r\n",
    "a body that ends early": OK + b"Content-Length: 3\r\n\r\nok",
    "a head that ends early": OK + b"Content-Length: 3\r\n",
    "no answer at all": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
    "one that looks alike": b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status below all": b"HTTP/1.1 042 No\r\nContent-Length: 0\r\n\r\n",
    "another protocol unasked": b"HTTP/1.1 101 No\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "a header that is too long": OK + b"X: " + b"x" * 200_000 + b"\r\nContent-Length: 0\r\n\r\n",
    "too many headers": OK + b"X: x\r\n" * 40_000 + b"Content-Length: 0\r\n\r\n",
}
TAKEN = {
    "a folded header": (OK + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", b"ok"),
    "an older version": (b"HTTP/1.0 200 OK\r\n\r\nok", b"ok"),
    "an end by the end": (OK + b"\r\nok", b"ok"),
    "words before it": (
        b"HTTP/1.1 103 E\r\nLink: x\r\n\r\n" * 3 + OK + b"Content-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "extensions of chunks": (CHUNKED + b"2;a=b\r\nok\r\n0\r\nTrailer: x\r\n\r\n", b"ok"),
    "a length of nothing": (OK + b"Content-Length: 0\r\n\r\n", b""),
    "bytes beyond ASCII": (OK + "X: é☃\r\nContent-Length: 2\r\n\r\nok".encode(), b"ok"),
    "many headers": (OK + b"X: y\r\n" * 500 + b"Content-Length: 2\r\n\r\nok", b"ok"),
}


def config(port: int, **failover: Any) -> router.Config:
    failover = {"attempts": 1, "deadline": 5.0, **failover}
    return router.Config(
        endpoints=(router.Endpoint(url=f"http://127.0.0.1:{port}"),),
        probe=router.Probe(enabled=False),
        failover=router.Failover(**failover),
    )


def saying(words: bytes) -> Callable[[socket.socket], None]:
    """Answer one request so, and end."""

    def script(sock: socket.socket) -> None:
        if read_request(sock):
            sock.sendall(words)

    return script


async def made(parts: list[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@pytest.fixture(params=["tasks", "threads"])
def asked(request: pytest.FixtureRequest) -> Asked:
    """Return what sends one request of a family, in a task or in a thread; a body in `parts`."""

    async def main(family: str, port: int, method: str, options: Any) -> Any:
        async with CLIENTS[family](config(port)) as client:
            return await client.request(method, "/", **options)

    def ask(family: str, port: int, method: str = "GET", **options: Any) -> Any:
        parts, tasks = options.pop("parts", None), request.param == "tasks"
        if parts is not None:
            options["content"] = made(parts) if tasks else iter(parts)
        if tasks:
            return asyncio.run(main(family, port, method, options))
        with BLOCKING[family](config(port)) as client:
            return client.request(method, "/", **options)

    return ask


@pytest.mark.parametrize("family", CLIENTS)
@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_answer_is_an_error_of_the_family(asked: Asked, family: str, what: str) -> None:
    http = pytest.importorskip(family)
    with Peer(saying(REFUSED[what])) as peer, pytest.raises(router.RouterError) as caught:
        asked(family, peer.port)
    assert isinstance(caught.value, http.RemoteProtocolError | http.ReadError)


@pytest.mark.parametrize("what", TAKEN)
def test_what_is_unusual_is_taken(asked: Asked, what: str) -> None:
    words, body = TAKEN[what]
    with Peer(saying(words)) as peer:
        answer = asked("httpx", peer.port)
    assert (answer.status_code, answer.content) == (200, body)


@pytest.mark.parametrize("piece", [1, 7])
def test_an_answer_in_small_pieces_is_the_same(asked: Asked, piece: int) -> None:
    words = b"HTTP/1.1 100 Go\r\n\r\n" + CHUNKED + b"2\r\nok\r\n3\r\nay!\r\n0\r\n\r\n"

    def script(sock: socket.socket) -> None:
        read_request(sock)
        for start in range(0, len(words), piece):
            sock.sendall(words[start : start + piece])

    with Peer(script) as peer:
        assert asked("httpx", peer.port).content == b"okay!"


@pytest.mark.parametrize("status", [b"204 No", b"304 Same"])
def test_an_answer_without_a_body_leaves_its_connection_to_the_next(status: bytes) -> None:
    def script(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(b"HTTP/1.1 %b\r\nContent-Length: 5\r\n\r\n" % status)

    twice(script, "GET", connections=1)


def test_so_does_an_answer_to_head() -> None:
    def script(sock: socket.socket) -> None:
        while read_request(sock):
            sock.sendall(OK + b"Content-Length: 5\r\n\r\n")

    twice(script, "HEAD", connections=1)


@pytest.mark.parametrize("end", [b"Connection: close\r\nContent-Length: 0\r\n", b""])
def test_a_connection_that_ends_with_its_answer_is_not_used_again(end: bytes) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(OK + end + b"\r\n")
        if end:
            sock.recv(1)  # it is the client that closes

    twice(script, "GET", connections=2)


def twice(script: Callable[[socket.socket], None], method: str, *, connections: int) -> None:
    """Send two requests one after the other; see over how many connections."""

    async def main(port: int) -> None:
        async with router.AsyncClient(config(port)) as client:
            for _ in range(2):
                answer = await client.request(method, "/")
                assert answer.content == b""

    with Peer(script) as peer:
        asyncio.run(main(peer.port))
        assert peer.accepted == connections


def test_headers_keep_their_order_and_their_case_both_ways(asked: Asked) -> None:
    seen: list[bytes] = []

    def script(sock: socket.socket) -> None:
        seen.append(read_request(sock))
        sock.sendall(OK + b"X-One: 1\r\nx-TWO: 2 \r\nx-One: 3\r\nContent-Length: 0\r\n\r\n")

    with Peer(script) as peer:
        headers = [("X-b", "1"), ("x-A", "2"), ("X-B", "3")]
        answer = asked("httpx", peer.port, headers=headers)
        port = peer.port
    lines = seen[0].split(b"\r\n")
    assert lines[1] == b"Host: 127.0.0.1:%d" % port
    assert [line for line in lines if line.lower()[:2] == b"x-"] == [
        b"X-b: 1",
        b"x-A: 2",
        b"X-B: 3",
    ]
    assert b"aiohttp" not in seen[0].lower()
    assert answer.headers.raw[:3] == [(b"X-One", b"1"), (b"x-TWO", b"2"), (b"x-One", b"3")]


def test_nothing_is_followed_stored_or_unpacked_by_the_wire() -> None:
    seen: list[bytes] = []

    def script(sock: socket.socket) -> None:
        while came := read_request(sock):
            seen.append(came)
            sock.sendall(
                b"HTTP/1.1 302 There\r\nLocation: /there\r\nSet-Cookie: a=b\r\n"
                b"Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
            )

    async def main(port: int) -> None:
        async with router.AsyncTransport(config(port)) as transport:
            for _ in range(2):
                request = httpx.Request("GET", f"http://127.0.0.1:{port}/")
                answer = await transport.handle_async_request(request)
                raw = b"".join([part async for part in answer.stream])
                await answer.aclose()
                assert (answer.status_code, raw) == (302, b"\x1f\x8b\x08")

    with Peer(script) as peer:
        asyncio.run(main(peer.port))
    assert len(seen) == 2
    assert not any(b"cookie" in each.lower() for each in seen)


@pytest.mark.parametrize(
    ("length", "parts"), [("3", [b"toolong"]), ("9", [b"short"]), ("x", [b"odd"])]
)
def test_a_body_that_is_not_as_long_as_it_says_is_the_callers_error(
    asked: Asked, length: str, parts: list[bytes]
) -> None:
    def script(sock: socket.socket) -> None:
        while sock.recv(65536):
            pass

    with Peer(script) as peer, pytest.raises(router.RouterError) as caught:
        asked("httpx", peer.port, "POST", parts=parts, headers={"Content-Length": length})
    assert isinstance(caught.value, httpx.LocalProtocolError)


def test_an_answer_that_comes_while_the_request_is_written_is_taken(asked: Asked) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 413 Too much\r\nContent-Length: 4\r\n\r\nstop")
        sock.shutdown(1)
        while sock.recv(1 << 20):
            pass

    with Peer(script) as peer:
        answer = asked("httpx", peer.port, "POST", parts=[b"x" * 65536] * 64)
        assert (answer.status_code, answer.content) == (413, b"stop")


def test_a_body_that_is_read_once_goes_in_chunks(asked: Asked) -> None:
    seen: list[bytes] = []

    def script(sock: socket.socket) -> None:
        came = read_request(sock)
        while not came.endswith(b"0\r\n\r\n"):
            came += sock.recv(65536)
        seen.append(came.partition(b"\r\n\r\n")[2])
        sock.sendall(OK + b"Content-Length: 0\r\n\r\n")

    with Peer(script) as peer:
        assert asked("httpx", peer.port, "POST", parts=[b"a", b"", b"bc"]).status_code == 200
    assert seen == [b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n"]


@pytest.mark.parametrize("way", ["tasks", "threads"])
def test_another_protocol_that_was_asked_for_has_the_connection_to_itself(way: str) -> None:
    headers = {"Upgrade": "echo", "Connection": "upgrade"}

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\nhel")
        sock.sendall(sock.recv(100))

    async def main(port: int) -> bytes:
        async with (
            router.AsyncClient(config(port)) as client,
            client.stream("GET", "/", headers=headers) as answer,
        ):
            assert answer.status_code == 101
            stream, said = answer.extensions["network_stream"], b""
            await stream.write(b"lo", timeout=5.0)
            while len(said) < 5:
                said += await stream.read(100, timeout=5.0)
            return said

    def blocking(port: int) -> bytes:
        with (
            router.Client(config(port)) as client,
            client.stream("GET", "/", headers=headers) as answer,
        ):
            assert answer.status_code == 101
            stream, said = answer.extensions["network_stream"], b""
            stream.write(b"lo", timeout=5.0)
            while len(said) < 5:
                said += stream.read(100, timeout=5.0)
            return said

    with Peer(script) as peer:
        said = asyncio.run(main(peer.port)) if way == "tasks" else blocking(peer.port)
        assert said == b"hello"


@pytest.mark.parametrize("way", ["tasks", "threads"])
def test_another_protocol_that_is_read_at_once_lets_go_of_the_connection(way: str) -> None:
    headers = {"Upgrade": "echo", "Connection": "upgrade"}
    came: list[bytes] = []

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 101 Yes\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
        came.append(sock.recv(100))

    async def main(peer: Peer) -> None:
        async with router.AsyncClient(config(peer.port)) as client:
            assert (await client.get("/", headers=headers)).status_code == 101
            await asyncio.to_thread(peer.wait_until_idle)
            assert came == [b""]

    def blocking(peer: Peer) -> None:
        with router.Client(config(peer.port)) as client:
            assert client.get("/", headers=headers).status_code == 101
            peer.wait_until_idle()
            assert came == [b""]

    with Peer(script) as peer:
        if way == "tasks":
            asyncio.run(main(peer))
        else:
            blocking(peer)
