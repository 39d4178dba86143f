"""A real redis-server for tests of this directory, or a loud skip."""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import pytest

from router.testing import RedisServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RedisServer", "free_port", "redis_server"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def redis_server(home: Path, *options: str) -> Iterator[RedisServer]:
    if not RedisServer.is_installed():
        message = "redis-server is not installed: this test did not run"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    with RedisServer(home, *options) as server:
        yield server
