"""A connection that had been closed while it lay idle is told from one that broke."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trustme
from net_peers import (
    ANSWER,
    KINDS,
    Asker,
    Peer,
    answering,
    client_tls,
    read_request,
    reset,
    server_tls,
    timeouts,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from router.call import Timeouts


def then(end: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """Answer one request, read another, and end so."""

    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(ANSWER)
        read_request(sock)
        end(sock)

    return script


def closes(_: socket.socket) -> None:
    pass


def half_answers(sock: socket.socket) -> None:
    sock.sendall(b"HTTP/1.1 2")


def hangs(sock: socket.socket) -> None:
    sock.recv(1)


def failed(asker: Asker, port: int, **given: Any) -> Timeouts:
    told = timeouts(**given)
    core = asker.core
    with pytest.raises((core.ReadError, core.RemoteProtocolError, core.ReadTimeout)):
        asker.ask(port, told)
    return told


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("end", "is_stale"), [(closes, True), (reset, True), (half_answers, False), (hangs, False)]
)
def test_a_used_connection_that_ends_without_a_byte_is_stale(
    *, kind: str, end: Callable[[socket.socket], None], is_stale: bool
) -> None:
    with Peer(then(end)) as peer, Asker(kind) as asker:
        assert asker.ask(peer.port) == b"ok"
        assert failed(asker, peer.port, read=0.3).stale is is_stale
        assert peer.accepted == 1


@pytest.mark.parametrize("kind", KINDS)
def test_under_tls_too(kind: str) -> None:
    authority = trustme.CA()
    script = server_tls(authority)(then(closes))
    with Peer(script) as peer, Asker(kind, client_tls(authority)) as asker:
        assert asker.ask(peer.port) == b"ok"
        assert failed(asker, peer.port).stale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", [closes, reset])
def test_a_new_connection_is_never_stale(kind: str, end: Callable[[socket.socket], None]) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        end(sock)

    with Peer(script) as peer, Asker(kind) as asker:
        assert not failed(asker, peer.port).stale


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("last_words", [b"", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
def test_an_idle_connection_that_was_closed_or_speaks_unasked_is_not_used(
    kind: str, last_words: bytes
) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(ANSWER + last_words)

    with Peer(script) as peer, Asker(kind) as asker:
        for _ in range(3):
            assert asker.ask(peer.port) == b"ok"
            peer.wait_until_idle()
        assert peer.accepted == 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_is_used_again(kind: str) -> None:
    with Peer(answering) as peer, Asker(kind) as asker:
        for _ in range(3):
            assert asker.ask(peer.port) == b"ok"
        assert peer.accepted == 1
