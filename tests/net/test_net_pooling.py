"""What comes after an answer is no answer to the next request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from net_peers import Peer, read_request

import router

if TYPE_CHECKING:
    import socket

SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
ASYNC: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"
JUNK = {
    "another answer": GOOD + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
    "no answer at all": GOOD + b"junk",
    "a body that 204 has not": b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello",
}


def bodies(way: str, family: str, config: router.Config) -> list[bytes]:
    """Send two requests, one after the other."""
    if way == "sync":
        with SYNC[family](config) as client:
            return [client.post("/").content for _ in range(2)]

    async def main() -> list[bytes]:
        async with ASYNC[family](config) as client:
            return [(await client.post("/")).content for _ in range(2)]

    return asyncio.run(main())


@pytest.mark.parametrize("family", SYNC)
@pytest.mark.parametrize("way", ["sync", "async"])
@pytest.mark.parametrize("junk", JUNK)
def test_what_follows_an_answer_is_left_with_its_connection(
    way: str, family: str, junk: str
) -> None:
    served: list[bytes] = []

    def script(sock: socket.socket) -> None:
        while came := read_request(sock):
            served.append(came)
            sock.sendall(JUNK[junk] if len(served) == 1 else GOOD)

    with Peer(script) as peer:
        config = router.Config(
            endpoints=(router.Endpoint(url=f"http://127.0.0.1:{peer.port}"),),
            probe=router.Probe(enabled=False),
        )
        assert bodies(way, family, config)[1] == b"good"
        assert (len(served), peer.accepted) == (2, 2)
