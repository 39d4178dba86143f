"""A wait ends when the request's own time does, whatever the peer does meanwhile."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trustme
from net_peers import (
    ANSWER,
    KINDS,
    NAME,
    Asker,
    Peer,
    black_hole,
    client_tls,
    read_request,
    server_tls,
    timeouts,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator

BUDGET = 0.4
SLACK = 1.0
STEP = 0.02


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds + SLACK


def dripping(text: bytes, step: float = STEP) -> Callable[[socket.socket], None]:
    def drip(sock: socket.socket) -> None:
        read_request(sock)
        for at in range(len(text)):
            sock.sendall(text[at : at + 1])
            time.sleep(step)

    return drip


def flooding(sock: socket.socket) -> None:
    read_request(sock)
    while True:
        sock.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100)


def silent(sock: socket.socket) -> None:
    while sock.recv(65536):
        pass


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "script", [dripping(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 999), flooding, silent]
)
def test_a_head_that_never_ends_is_awaited_no_longer_than_the_budget(
    kind: str, script: Callable[[socket.socket], None]
) -> None:
    with (
        Peer(script) as peer,
        Asker(kind) as asker,
        within(BUDGET),
        pytest.raises((asker.core.ReadTimeout, asker.core.RemoteProtocolError)),
    ):
        asker.ask(peer.port, timeouts(BUDGET, read=5 * BUDGET))


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_never_ends_is_awaited_until_its_end_is_due(kind: str) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"

    def script(sock: socket.socket) -> None:
        sock.sendall(head)
        dripping(b"x" * 999)(sock)

    given = timeouts(5.0, read=5.0)
    given.until_body_end = time.monotonic() + BUDGET
    with (
        Peer(script) as peer,
        Asker(kind) as asker,
        within(BUDGET),
        pytest.raises(asker.core.ReadTimeout),
    ):
        asker.ask(peer.port, given)


@pytest.mark.parametrize("kind", KINDS)
def test_a_slow_body_is_read_to_its_end_where_no_end_is_set(kind: str) -> None:
    body = b"0123456789"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"

    def script(sock: socket.socket) -> None:
        sock.sendall(head)
        dripping(body, step=0.05)(sock)

    with Peer(script) as peer, Asker(kind) as asker:
        assert asker.ask(peer.port, timeouts(0.2, read=0.2)) == body


@pytest.mark.parametrize("kind", KINDS)
def test_a_pause_in_the_body_is_bounded_by_the_read_timeout(kind: str) -> None:
    def script(sock: socket.socket) -> None:
        read_request(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx")
        silent(sock)

    with (
        Peer(script) as peer,
        Asker(kind) as asker,
        within(BUDGET),
        pytest.raises(asker.core.ReadTimeout),
    ):
        asker.ask(peer.port, timeouts(5.0, read=BUDGET))


@pytest.mark.parametrize("kind", KINDS)
def test_a_peer_that_reads_nothing_is_written_to_no_longer_than_the_budget(kind: str) -> None:
    def script(sock: socket.socket) -> None:
        time.sleep(2 * BUDGET)

    with (
        Peer(script) as peer,
        Asker(kind) as asker,
        within(BUDGET),
        pytest.raises(asker.core.WriteTimeout),
    ):
        asker.ask(peer.port, timeouts(BUDGET), content=b"x" * 50_000_000)


@pytest.mark.parametrize("kind", KINDS)
def test_a_connect_that_hangs_ends_by_the_connect_timeout(kind: str) -> None:
    with (
        black_hole() as port,
        Asker(kind) as asker,
        within(BUDGET),
        pytest.raises(asker.core.ConnectTimeout),
    ):
        asker.ask(port, timeouts(5.0, connect=BUDGET))


def drip_handshake(sock: socket.socket) -> None:
    sock.recv(9)
    sock.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KiB begins
    while True:
        sock.sendall(b"\x02")
        time.sleep(STEP)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("script", [silent, drip_handshake])
def test_a_handshake_that_hangs_or_drips_ends_by_the_connect_timeout(
    kind: str, script: Callable[[socket.socket], None]
) -> None:
    tls = client_tls(trustme.CA())
    with (
        Peer(script) as peer,
        Asker(kind, tls) as asker,
        within(BUDGET),
        pytest.raises(asker.core.ConnectTimeout),
    ):
        asker.ask(peer.port, timeouts(5.0, connect=BUDGET))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", ["untrusted", "wrong name", "closing", "no TLS"])
def test_a_handshake_that_fails_is_a_connect_error(kind: str, fault: str) -> None:
    authority = trustme.CA()
    trusted = trustme.CA() if fault == "untrusted" else authority
    served = server_tls(authority, "other.test" if fault == "wrong name" else NAME)(read_request)
    script = {
        "closing": lambda sock: sock.recv(1),
        "no TLS": lambda sock: sock.sendall(ANSWER),
    }.get(fault, served)
    with (
        Peer(script) as peer,
        Asker(kind, client_tls(trusted)) as asker,
        pytest.raises(asker.core.ConnectError) as caught,
    ):
        asker.ask(peer.port, timeouts(2.0))
    verified = "CERTIFICATE_VERIFY_FAILED" not in str(caught.value)
    assert verified == (fault in {"closing", "no TLS"})
