"""A redis-server of your own on loopback, for tests of `share:`.

    with RedisServer(tmp_path) as server:
        config = regions.config(share=ShareSettings(url=Secret(server.url)))
        server.stop()
        server.start()

Rule: it is the real program, in a directory of its own, at a port that the system chooses; it keeps
      nothing on disk unless it is told to, and is ended by its own process id. Another program that
      does the same, such as valkey-server, is named by REGION_ROUTER_REDIS_SERVER.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

__all__ = ["PROGRAM", "RedisServer"]

PROGRAM = os.environ.get("REGION_ROUTER_REDIS_SERVER", "redis-server")
READY_WITHIN = 10.0
ANSWER_WITHIN = 10.0


class RedisServer:
    """One server; it can be stopped, started again and asked."""

    def __init__(self, home: Path, *options: str, port: int | None = None) -> None:
        """Take where its files are, options of the command line, and a port, if it is to be one."""
        self.home = home
        self.port = port or _free_port()
        self.options = options
        self._process: subprocess.Popen[bytes] | None = None

    @staticmethod
    def is_installed() -> bool:
        """Return whether the program is on this machine."""
        return shutil.which(PROGRAM) is not None

    @property
    def url(self) -> str:
        """`redis://127.0.0.1:port/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it accepts connections.

        Raises:
            RuntimeError: it did not within 10 s; the text is its log.
        """
        self.home.mkdir(parents=True, exist_ok=True)
        command = [PROGRAM, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self.home), "--save", "", "--daemonize", "no", *self.options]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)  # noqa: S603 - ours
        if wait:
            self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.01)
        self.stop()
        raise RuntimeError((self.home / "log").read_text())

    def stop(self) -> None:
        """Kill it; a second time does nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def cli(self, *words: str) -> str:
        """Return what the server answers to a command of redis-cli."""
        command = ["redis-cli", "-p", str(self.port), *words]
        done = subprocess.run(  # noqa: S603 - ours
            command, capture_output=True, check=True, timeout=ANSWER_WITHIN
        )
        return done.stdout.decode().strip()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
