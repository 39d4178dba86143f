"""A request that nobody waits for any more is ended at once, wherever it waits."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from net_peers import (
    ANSWER,
    KINDS,
    NAME,
    Asker,
    Peer,
    answering,
    black_hole,
    client_tls,
    read_request,
    server_tls,
    timeouts,
)

from router.call import Remaining
from router.net.usage import Usage

if TYPE_CHECKING:
    import socket

SOON = 0.1
LATEST = 2.0


def hanging(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


def ended(asker: Asker, port: int, **asked: Any) -> Exception:
    """Return what a request raises that is abandoned while it waits."""
    began = time.monotonic()
    with pytest.raises(asker.core.NetworkError) as caught:
        asker.ask(port, timeouts(5.0), abandon_after=SOON, **asked)
    assert SOON / 2 < time.monotonic() - began < LATEST
    raised: Exception = caught.value
    return raised


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("secure", [False, True])
def test_while_it_reads_and_the_pool_goes_on(*, kind: str, secure: bool) -> None:
    authority = trustme.CA()
    silent = threading.Event()

    def script(sock: socket.socket) -> None:
        read_request(sock)
        if silent.is_set():
            sock.sendall(ANSWER)
            answering(sock)
        silent.set()
        hanging(sock)

    played = server_tls(authority)(script) if secure else script
    tls = client_tls(authority) if secure else None
    with Peer(played) as peer, Asker(kind, tls) as asker:
        assert isinstance(ended(asker, peer.port), asker.core.ReadError)
        for _ in range(2):
            assert asker.ask(peer.port) == b"ok"
        assert peer.accepted == 2


@pytest.mark.parametrize("kind", KINDS)
def test_while_it_reads_the_body(kind: str) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
        hanging(sock)

    with Peer(script) as peer, Asker(kind) as asker:
        assert isinstance(ended(asker, peer.port), asker.core.ReadError)


@pytest.mark.parametrize("kind", KINDS)
def test_while_it_writes(kind: str) -> None:
    def script(_: socket.socket) -> None:
        time.sleep(2 * SOON)

    with Peer(script) as peer, Asker(kind) as asker:
        ended(asker, peer.port, content=b"x" * 50_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_while_it_connects(kind: str) -> None:
    with black_hole() as port, Asker(kind) as asker:
        assert isinstance(ended(asker, port), asker.core.ConnectError)


@pytest.mark.parametrize("kind", KINDS)
def test_while_it_shakes_hands(kind: str) -> None:
    with Peer(hanging) as peer, Asker(kind, client_tls(trustme.CA())) as asker:
        assert isinstance(ended(asker, peer.port), asker.core.ConnectError)


@pytest.mark.parametrize("kind", KINDS)
def test_while_its_name_is_looked_up(kind: str) -> None:
    free = threading.Event()

    def lookup(_: str, __: int) -> list[Any]:
        free.wait(5.0)
        return []

    with Asker(kind, lookup=lookup) as asker:
        assert isinstance(ended(asker, 1, host=NAME), asker.core.ConnectError)
        free.set()


@pytest.mark.parametrize("kind", KINDS)
def test_before_it_began(kind: str) -> None:
    given = timeouts(5.0)
    given.abandon()
    with Peer(answering) as peer, Asker(kind) as asker:
        assert asker.ask(peer.port) == b"ok"
        with pytest.raises(asker.core.ReadError):
            asker.ask(peer.port, given)
        assert asker.ask(peer.port) == b"ok"


@pytest.mark.parametrize("kind", KINDS)
def test_an_abandoned_request_does_not_end_the_next_one_on_its_connection(kind: str) -> None:
    with Peer(answering) as peer, Asker(kind) as asker:
        for _ in range(3):
            given = timeouts(5.0)
            assert asker.ask(peer.port, given) == b"ok"
            given.abandon()
        assert peer.accepted == 1


def test_a_wait_of_another_request_is_left_alone() -> None:
    severed: list[int] = []
    usage = Usage(lambda: severed.append(1))
    one, other = timeouts(), timeouts()
    waits = Remaining(1.0)
    waits.timeouts, waits.limit, waits.ends = one, 1.0, None
    usage.take(waits)
    usage.interrupt(other)
    assert not severed
    one.abandon()
    assert severed
