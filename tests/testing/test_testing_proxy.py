"""A proxy before servers of any protocol."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from raw_clients import ask, connect

from router.testing import Certificates, Proxy, Regions, TokenServer
from router.testing.faults import OtherCertificate, Refuse, Reset, Silent, Times

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def echo() -> Iterator[int]:
    """Start a server of lines, which answers each with its upper case, and return its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def serve(listener: socket.socket) -> None:
    """Serve one client after the other; `quit` resets it."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        with client:
            while line := client.recv(1000):
                if line == b"quit\n":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    break
                client.sendall(line.upper())


def test_bytes_of_any_protocol_pass_and_are_counted(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy, connect(proxy) as client:
        assert ask(client, b"hello\n", wait=0.1).data == b"HELLO\n"
        assert ask(client, b"you\n", wait=0.1).data == b"YOU\n"
        assert (proxy.connections, proxy.requests) == (1, 2)
        assert (proxy.bytes_received, proxy.bytes_sent) == (10, 10)


def test_what_is_not_http_can_be_withheld_too(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy:
        proxy.fault = Times(Reset(executed=False), 1)
        with connect(proxy) as client:
            assert ask(client, b"hello\n")[:2] == (b"", "rst")
        with connect(proxy) as client:
            assert ask(client, b"hello\n", wait=0.1).data == b"HELLO\n"


def test_a_client_that_has_said_all_still_gets_its_answer(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy, connect(proxy) as client:
        client.sendall(b"hello\n")
        client.shutdown(socket.SHUT_WR)
        assert ask(client, b"")[:2] == (b"HELLO\n", "fin")


def test_a_reset_by_the_server_is_a_reset_for_the_client(echo: int) -> None:
    with Proxy("127.0.0.1", echo) as proxy, connect(proxy) as client:
        assert ask(client, b"quit\n")[:2] == (b"", "rst")


def test_a_server_that_refuses_closes_the_client() -> None:
    with Regions(near=0.0) as regions:
        near = regions["near"]
        near.fault = Refuse()
        with Proxy(near.host, near.port) as proxy, connect(proxy) as client:
            assert ask(client, b"")[:2] == (b"", "fin")


def test_large_bodies_pass_both_ways() -> None:
    with Regions(near=0.0) as regions, Proxy("127.0.0.1", regions["near"].port) as proxy:
        httpx.post(proxy.url, content=bytes(5_000_000))
        assert len(regions.received[0].body) == 5_000_000
        assert proxy.requests == 1


def test_a_token_server_can_be_silent() -> None:
    form = {"grant_type": "client_credentials", "client_id": "demo", "client_secret": "demo-secret"}
    with TokenServer() as server, Proxy("127.0.0.1", server.port) as proxy:
        proxy.fault = Silent()
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(proxy.url + "/oauth2/token", data=form, timeout=0.2)
        proxy.fault = None
        assert httpx.post(proxy.url + "/oauth2/token", data=form).status_code == 200
        assert server.requests == 1


def test_tls_passes_through_a_proxy() -> None:
    certificates = Certificates()
    with Regions(certificates, near=0.0) as regions:
        near = regions["near"]
        with Proxy(near.host, near.port) as proxy, connect(proxy) as client:
            context = certificates.client_context()
            with context.wrap_socket(client, server_hostname="near.test") as secure:
                secure.sendall(b"GET / HTTP/1.1\r\nHost: near.test\r\n\r\n")
                assert secure.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_proxy_has_no_certificate_to_change() -> None:
    context = Certificates().wrong_name()
    with Proxy("127.0.0.1", 1) as proxy:
        with pytest.raises(TypeError, match="a Region with TLS"):
            proxy.fault = OtherCertificate(context)
        assert proxy.fault is None
