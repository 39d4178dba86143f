"""A sidecar: HAProxy on the way to the first server, as a process on the servers' core.

Rule: its own CPU is read from the system, to be counted with its client's.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from speedlab.cores import SERVERS, settle

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["INSTALL", "Hop", "hop"]

INSTALL = "HAProxy is not installed (apt-get install haproxy)"
NS = 1e9
CONFIG = """
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend sidecar
    bind fd@{number}
    default_backend service
backend service
    server one {address}
"""


class Hop:
    """The running sidecar."""

    def __init__(self, url: str, process: int) -> None:
        self.url = url
        self._schedule = Path(f"/proc/{process}/schedstat")

    def cpu(self) -> float:
        """Return the seconds of CPU that it took so far."""
        return int(self._schedule.read_text(encoding="ascii").split()[0]) / NS


@contextlib.contextmanager
def hop(url: str) -> Iterator[Hop | None]:
    """Run HAProxy before this server; None where it is not installed."""
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None:
        yield None
        return
    with socket.create_server(("127.0.0.1", 0)) as sock, tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "haproxy.cfg"
        words = CONFIG.format(number=sock.fileno(), address=url.partition("://")[2])
        config.write_text(words, encoding="ascii")
        with subprocess.Popen(
            [program, "-db", "-f", config],
            pass_fds=[sock.fileno()],
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: settle(SERVERS),  # noqa: PLW1509 - no thread runs here yet
        ) as process:
            try:
                yield Hop(f"http://127.0.0.1:{sock.getsockname()[1]}", process.pid)
            finally:
                process.terminate()
