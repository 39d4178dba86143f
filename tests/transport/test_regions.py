"""The loopback regions that our tests and our users' run against."""

from __future__ import annotations

import gc
import socket

from router.testing import Regions


def test_a_region_that_ends_right_after_a_connect_loses_no_socket() -> None:
    for _ in range(20):
        with Regions(a=0.0) as regions:
            address = ("127.0.0.1", regions["a"].port)
            clients = [socket.create_connection(address) for _ in range(3)]
        for client in clients:
            client.close()
    gc.collect()  # warnings are errors here: a lost socket would raise ResourceWarning
