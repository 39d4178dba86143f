"""Runs of `router clock`, and the loopback servers that it asks."""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from cli_runs import run, written

from router.clock.host import THIS_HOST
from router.testing import NtpServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

    from router.clock.kernel import KernelStatus
    from router.testing import Regions


def kernel_says(monkeypatch: pytest.MonkeyPatch, status: KernelStatus | None) -> None:
    """Have the command see a kernel that says this of its clock, whatever this machine's says."""
    host = replace(THIS_HOST, kernel=lambda: status)
    for module in ("router.cli.inquiry", "router.timekeeping"):
        monkeypatch.setattr(f"{module}.THIS_HOST", host)


def swallow(*_: object) -> tuple[bytes, ...]:
    return ()


def deny(request: bytes, reply: bytes) -> tuple[bytes, ...]:
    return (b"\xe4\x00" + reply[2:12] + b"DENY" + reply[16:],)


@contextmanager
def clocks(*offsets: float) -> Iterator[list[str]]:
    """Run NTP servers that are so many seconds ahead of this host; give their addresses."""
    with ExitStack() as stack:
        yield [stack.enter_context(NtpServer(offset=offset)).address for offset in offsets]


def asking(*servers: str) -> list[str]:
    return [word for server in servers for word in ("--server", server)]


def routes(folder: Path, regions: Regions, *servers: str, more: str = "") -> Path:
    listed = ", ".join(f'"{server}"' for server in servers)
    endpoints = [f"- {{name: {region.name}, url: '{region.url}'}}" for region in regions]
    text = "\n".join([f"clock: {{servers: [{listed}]{more}}}", "endpoints:", *endpoints])
    return written(folder, text)


def found(*arguments: Any, code: int = 0) -> dict[str, Any]:
    """Run `router clock … --json`, and return what it prints."""
    done = run("clock", "--json", "--timeout", "200ms", *arguments)
    assert (done.exit_code, done.stderr) == (code, "")
    made: dict[str, Any] = json.loads(done.stdout)
    return made
