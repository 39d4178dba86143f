"""Requests of clients go over our own network backends, and end by their deadline."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from net_peers import Peer, answering, black_hole, read_request

import router
import router.httpx2

if TYPE_CHECKING:
    import socket

BLOCKING: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
SUSPENDING: dict[str, Any] = {"httpx": router.AsyncClient, "httpx2": router.httpx2.AsyncClient}
DEADLINE = 0.5


def config(port: int, **failover: Any) -> router.Config:
    return router.Config(
        endpoints=(router.Endpoint(url=f"http://127.0.0.1:{port}"),),
        probe=router.Probe(enabled=False),
        failover=router.Failover(deadline=DEADLINE, **failover),
    )


def ask(family: str, way: str, settings: router.Config) -> int:
    async def asked() -> int:
        async with SUSPENDING[family](settings) as client:
            return int((await client.get("/")).status_code)

    if way == "tasks":
        return asyncio.run(asked())
    with BLOCKING[family](settings) as client:
        return int(client.get("/").status_code)


def drip(sock: socket.socket) -> None:
    read_request(sock)
    for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999:
        sock.sendall(bytes([byte]))
        time.sleep(0.02)


@pytest.mark.parametrize("family", BLOCKING)
@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_a_request_is_answered(family: str, way: str) -> None:
    with Peer(answering) as peer:
        assert ask(family, way, config(peer.port)) == 200


@pytest.mark.parametrize("family", BLOCKING)
@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_an_answer_that_drips_does_not_outlast_the_deadline(family: str, way: str) -> None:
    with Peer(drip) as peer:
        began = time.monotonic()
        with pytest.raises(router.RouterError):
            ask(family, way, config(peer.port))
        assert time.monotonic() - began < DEADLINE + 1.0


@pytest.mark.parametrize("family", BLOCKING)
@pytest.mark.parametrize("way", ["threads", "tasks"])
def test_a_connect_that_hangs_was_never_sent(family: str, way: str) -> None:
    with black_hole() as port, pytest.raises(router.AttemptsFailedError) as caught:
        ask(family, way, config(port, attempt_timeout=0.2, attempts=1))
    assert {attempt.verdict for attempt in caught.value.attempts} == {"never sent"}
    assert not caught.value.maybe_processed


def test_the_backends_import_neither_family() -> None:
    program = (
        "import sys, router.net.blocking, router.net.suspending\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert "httpcore2" not in loaded.stdout.decode().split()
