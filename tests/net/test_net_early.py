"""An answer that comes before its request was read counts, where no more can be written."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from four_clients import KINDS, Asker

import router

if TYPE_CHECKING:
    from collections.abc import Iterator

MUCH = bytes(16_000_000)
REFUSES = b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"
PROMISES = b"HTTP/1.1 102 Processing\r\n\r\n"
WITHIN = 10.0


class Unread:
    """A server that says something at the first byte, and reads no more."""

    def __init__(self, says: bytes) -> None:
        self._says = says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _serve(self) -> None:
        peer, _ = self._listener.accept()
        with peer:
            peer.recv(1)
            peer.sendall(self._says)
            self._over.wait(WITHIN)

    def close(self) -> None:
        self._over.set()
        self._thread.join(WITHIN)
        self._listener.close()


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Unread]:
    made = Unread(request.param)
    yield made
    made.close()


def config(server: Unread) -> router.Config:
    return router.Config(
        endpoints=(router.Endpoint(url=server.url),),
        wire="aiohttp",
        probe=router.Probe(enabled=False),
        failover=router.Failover(attempts=1, attempt_timeout=5.0),
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("server", [REFUSES], indirect=True)
def test_where_writing_takes_too_long_the_answer_that_came_counts(
    server: Unread, kind: str
) -> None:
    with Asker(kind, config(server)) as asker:
        answer = asker.request("POST", content=MUCH, timeout=0.3)
    assert (answer.status_code, answer.content) == (413, b"no")


@pytest.mark.parametrize("server", [PROMISES], indirect=True)
def test_what_is_no_answer_yet_lengthens_no_wait(server: Unread) -> None:
    with router.Client(config(server)) as client, pytest.raises(router.RouterError) as caught:
        client.post("/", content=MUCH, timeout=0.3)
    assert isinstance(caught.value.__cause__, httpx.WriteTimeout)
    assert caught.value.attempts[0].elapsed < 2.0
