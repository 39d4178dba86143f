"""Real chronyd processes on loopback: honest, lying, jumping, unsynchronised, rate-limited.

Rule 1: a process is ended by its own id, and its files live in the test's own directory.
Rule 2: where the programs are missing a test is skipped and says so; on CI it fails.
Rule 3: a server that is off, or that jumps while it runs, sees a wall clock made by libfaketime and
        is otherwise as real as the honest ones.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.clock.exchange import query
from router.clock.ntp import NoSampleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "RATE_LIMITED",
    "UNSYNCHRONISED",
    "Chrony",
    "chronies",
    "chronyd",
    "has_ip6",
    "jumping_chronies",
]

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
READY_WITHIN = 10.0
CONFIGURATION = """
port {port}
cmdport 0
bindaddress {host}
bindcmdaddress /
pidfile {home}/pid
driftfile {home}/drift
{standing}
allow all
"""
SYNCHRONISED = "local stratum 8"
UNSYNCHRONISED = ""
RATE_LIMITED = "local stratum 8\nratelimit interval 12 burst 1 leak 4"
"""One reply in 4096 s, and one request in sixteen all the same: chrony 4.3 sends no kiss code."""


@dataclass(frozen=True)
class Chrony:
    """A running server.

    Attributes:
        address: as `clock.servers` takes it.
        wall: the file in which libfaketime finds how far the server's wall clock is off.
    """

    address: str
    wall: Path

    def jump(self, offset: float) -> None:
        """Put the server's wall clock `offset` seconds ahead of this host's."""
        fresh = self.wall.with_suffix(".new")
        fresh.write_text(f"{offset:+.3f}s")
        fresh.replace(self.wall)  # it is never read half-written


@contextlib.contextmanager
def chronies(home: Path, *offsets: float) -> Iterator[list[str]]:
    """Run one server for each offset (seconds ahead of this host); give their addresses."""
    with jumping_chronies(home, *offsets) as servers:
        yield [server.address for server in servers]


@contextlib.contextmanager
def jumping_chronies(home: Path, *offsets: float, faked: bool = False) -> Iterator[list[Chrony]]:
    """Run one server for each offset; `faked`: those that are right may jump as well."""
    with contextlib.ExitStack() as running:
        yield [
            running.enter_context(
                chronyd(home / f"chrony{number}", offset=offset, faked=faked or offset != 0)
            )
            for number, offset in enumerate(offsets)
        ]


@contextlib.contextmanager
def chronyd(
    home: Path,
    *,
    offset: float = 0.0,
    faked: bool = False,
    host: str = "127.0.0.1",
    standing: str = SYNCHRONISED,
) -> Iterator[Chrony]:
    """Run a server whose clock is `offset` seconds ahead of this host's."""
    require_programs()
    home.mkdir()
    port = free_port(host)
    server = Chrony(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", home / "wall")
    server.jump(offset)
    configuration = home / "chrony.conf"
    configuration.write_text(
        CONFIGURATION.format(port=port, host=host, home=home, standing=standing)
    )
    command = [str(program()), "-x", "-U", "-d", "-F", "0", "-u", getpass.getuser()]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-f", str(configuration)],
            env=os.environ | (preload(server.wall) if faked else {}),
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_it_answers(server.address, process, home / "log")
        yield server
    finally:
        process.terminate()
        process.wait()


def program() -> str | None:
    """Return the path of chronyd, which usually lies outside a user's PATH."""
    return shutil.which("chronyd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def require_programs() -> None:
    found = {"chrony": program(), "libfaketime": FAKETIME}
    if absent := [name for name, path in found.items() if path is None]:
        reason = f"NOT TESTED AGAINST REAL SERVERS: apt-get install {' '.join(absent)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)


def has_ip6() -> bool:
    """Return whether this host has the IPv6 loopback address."""
    with contextlib.suppress(OSError):
        return free_port("::1") > 0
    return False


def preload(wall: Path) -> dict[str, str]:
    """Return the environment in which the wall clock, and nothing else, is off."""
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(wall),
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


def free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        try:
            asyncio.run(query(address, near=time.time(), timeout=0.2))
        except NoSampleError as error:
            if error.code in {"timeout", "network"}:
                time.sleep(0.02)
                continue
        return
    raise AssertionError(f"chronyd does not answer:\n{log.read_text()}")
