"""Runs of the command line on a terminal: what somebody sees of them there."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from cli_runs import CHECKOUT, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["asked", "watched"]

STOP = b"Ctrl-C to stop"
NEVER = b"never written"
HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"
"""What hides the cursor, and what shows it again."""


def watched(*arguments: str) -> bytes:
    """Return what a live view shows on standard output until Ctrl-C ends it, well."""
    with on_a_terminal(arguments, shows="stdout") as (watch, terminal):
        seen = read_until(terminal, STOP)
        watch.send_signal(signal.SIGINT)
        seen += read_until(terminal, NEVER)
        assert watch.wait(10) == 0
        assert watch.stderr.read() == ""
    assert seen.rindex(SHOWN) > seen.rindex(HIDDEN)
    return seen


def asked(*arguments: str, code: int) -> tuple[str, bytes]:
    """Return standard output, and what a terminal shows of standard error."""
    with on_a_terminal(arguments, shows="stderr") as (asking, terminal):
        seen = read_until(terminal, NEVER)
        said: str = asking.stdout.read()
        assert asking.wait(10) == code
    return said, seen


@contextmanager
def on_a_terminal(
    arguments: tuple[str, ...], *, shows: Literal["stdout", "stderr"]
) -> Iterator[tuple[Any, int]]:
    """Run `router` with one of its streams on a terminal; give the process, and the other end."""
    parent, child = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "router", *arguments],
        cwd=CHECKOUT,
        env=environment(),
        stdout=child if shows == "stdout" else subprocess.PIPE,
        stderr=child if shows == "stderr" else subprocess.PIPE,
        text=True,
    ) as process:
        os.close(child)
        try:
            yield process, parent
        finally:
            process.kill()
            os.close(parent)


def read_until(terminal: int, words: bytes, *, within: float = 15.0) -> bytes:
    """Return what a terminal shows up to `words`, or all of it if the other end goes first."""
    seen, end = b"", time.monotonic() + within
    while words not in seen and time.monotonic() < end:
        if not select.select([terminal], [], [], 0.1)[0]:
            continue
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # Linux says so when the last writer has closed
            break
    return seen
