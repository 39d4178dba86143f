"""A real redis-server on loopback, in a directory of its own, ended by its own process id."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RedisServer", "redis_server"]

READY_WITHIN = 10.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One server; it can be stopped, started again and asked."""

    def __init__(self, home: Path, *options: str, port: int | None = None) -> None:
        self.home = home
        self.port = port or free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, wait: bool = True) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.home), "--save", "", "--daemonize", "no"]
        command += self._options
        log = (self.home / "log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        if wait:
            self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)
        raise AssertionError((self.home / "log").read_text())

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def cli(self, *words: str) -> str:
        """Return what the server answers to a command."""
        command = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
        return done.stdout.decode().strip()


@contextlib.contextmanager
def redis_server(home: Path, *options: str) -> Iterator[RedisServer]:
    if shutil.which("redis-server") is None:
        message = "redis-server is not installed: this test did not run"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    server = RedisServer(home, *options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
