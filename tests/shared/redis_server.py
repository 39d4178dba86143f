"""A real server for tests of this directory, or a loud skip.

REGION_ROUTER_REDIS_SERVER names another program than `redis-server`, such as `valkey-server`.
"""

from __future__ import annotations

import contextlib
import os
import platform
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.testing import RedisServer
from router.testing.redis_server import PROGRAM

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FAKED", "FAKETIME", "PROGRAM", "RedisServer", "free_port", "redis_server"]

FAKETIME = Path(f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1")
FAKED = {
    "LD_PRELOAD": str(FAKETIME),
    "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    "FAKETIME_FORCE_MONOTONIC_FIX": "0",  # the fix ends waits for the GIL at once: threads thrash
}
"""The environment that fakes the wall clock; FAKETIME says by how much."""
WITHOUT_TLS = "Failed finding TLS support"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def absent(what: str) -> None:
    message = f"{what}: this test did not run"
    pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)


@contextlib.contextmanager
def redis_server(home: Path, *options: str) -> Iterator[RedisServer]:
    if not RedisServer.is_installed():
        absent(f"{PROGRAM} is not installed")
    server = RedisServer(home, *options)
    try:
        server.start()
    except RuntimeError as error:
        if WITHOUT_TLS in str(error):
            absent(f"{PROGRAM} knows no TLS")
        raise
    try:
        yield server
    finally:
        server.stop()
