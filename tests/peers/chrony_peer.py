"""Real chronyd processes on loopback: honest, or lying by as much as libfaketime makes them.

Rule 1: a process is ended by its own id, and its files live in the test's own directory.
Rule 2: where the programs are missing a test is skipped and says so; on CI it fails.
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
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.clock.exchange import query
from router.clock.ntp import NoSampleError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["chronies"]

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
READY_WITHIN = 10.0
CONFIGURATION = """
port {port}
cmdport 0
bindaddress 127.0.0.1
bindcmdaddress /
pidfile {home}/pid
driftfile {home}/drift
local stratum 8
allow 127.0.0.0/8
"""


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


@contextlib.contextmanager
def chronies(home: Path, *offsets: float) -> Iterator[list[str]]:
    """Run one server for each offset (seconds ahead of this host); give their addresses."""
    require_programs()
    with contextlib.ExitStack() as running:
        yield [
            running.enter_context(chronyd(home / f"chrony{number}", offset=offset))
            for number, offset in enumerate(offsets)
        ]


@contextlib.contextmanager
def chronyd(home: Path, *, offset: float) -> Iterator[str]:
    """Run a server whose clock is `offset` seconds ahead of this host's; give its address."""
    home.mkdir()
    port = free_port()
    configuration = home / "chrony.conf"
    configuration.write_text(CONFIGURATION.format(port=port, home=home))
    command = [str(program()), "-x", "-U", "-d", "-F", "0", "-u", getpass.getuser()]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-f", str(configuration)],
            env=os.environ | (faked(offset) if offset else {}),
            stdout=log,
            stderr=log,
        )
    try:
        wait_until_it_answers(f"127.0.0.1:{port}", process, home / "log")
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def faked(offset: float) -> dict[str, str]:
    """Return the environment in which the wall clock, and nothing else, is off."""
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME": f"{offset:+.3f}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_NO_CACHE": "1",
    }


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + READY_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(NoSampleError):
            asyncio.run(query(address, near=time.time(), timeout=0.2))
            return
        time.sleep(0.02)
    raise AssertionError(f"chronyd does not answer:\n{log.read_text()}")
