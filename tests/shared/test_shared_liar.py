"""A server that answers every script with nonsense: each keeps to its share, and none breaks."""

from __future__ import annotations

import asyncio
import socketserver
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sharing_bench import bench, spend_for, takes, until
from token_bench import KEY, fetched

from router.config.settings import Limits, ShareSettings
from router.errors import ServiceError
from router.secret import Secret
from router.shared.holdings import look
from router.shared.store import NONSENSE
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.shared.rate import SharedRate

LIMIT, BURST, PERMITS = 100, 10, 4
NINES = "9" * 400


class Liar(socketserver.StreamRequestHandler):
    """A Redis that answers every script with what its server was told to."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            words = []
            for _ in range(int(line[1:])):
                size = int(self.rfile.readline()[1:])
                words.append(self.rfile.read(size + 2)[:-2])
            told: Any = self.server
            self.wfile.write(told.answer if words[0].upper() == b"EVALSHA" else b"+OK\r\n")


@contextmanager
def liar(answer: bytes) -> Iterator[str]:
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Liar) as server:
        server.answer = answer  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}?protocol=2"
        finally:
            server.shutdown()
            thread.join()


NAN = b"$3\r\nnan\r\n"


NONSENSICAL = [
    b"+OK\r\n",
    b":5\r\n",
    b"*0\r\n",
    b"*2\r\n:1\r\n:2\r\n",
    b"*4\r\n" + 4 * NAN,
    b"*4\r\n:-5\r\n:0\r\n:0\r\n:0\r\n",
    b"*2\r\n$400\r\n" + NINES.encode() + b"\r\n:0\r\n",
]


@pytest.mark.parametrize("answer", NONSENSICAL)
def test_answers_that_make_no_sense_leave_each_its_share(answer: bytes) -> None:
    with liar(answer) as url, bench(url, key=KEY) as made:
        process_rate: SharedRate = made.sharing.rate(Rate(LIMIT, 1), BURST)
        permits = made.sharing.permits(PERMITS)
        made.start(wait=False)
        spent = len(spend_for(process_rate, 0.5))
        assert LIMIT / 8 <= spent <= LIMIT / 2 + 2 * BURST
        assert until(lambda: takes(permits)) < 2.0
        assert fetched(made, []).access_token.reveal() == "token-0"
        assert len(made.notes) < 20


UNEVEN = b"*2\r\n*0\r\n*1\r\n*4\r\n:1\r\n" + 2 * NAN + b":0\r\n"


@pytest.mark.parametrize("answer", [*NONSENSICAL, UNEVEN])
def test_who_looks_on_is_told_of_answers_that_make_no_sense(answer: bytes) -> None:
    with liar(answer) as url, pytest.raises(ServiceError, match=NONSENSE):
        asyncio.run(look(ShareSettings(url=Secret(url)), Limits()))
