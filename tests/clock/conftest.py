"""What the clock's tests share: a clock under control, and real chronyd processes."""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, Protocol

import pytest
from chrony_peer import chronyd, missing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class StartChrony(Protocol):
    """Starts an NTP server that is `offset` seconds ahead, and returns its address."""

    def __call__(self, *, offset: float = 0.0) -> str: ...


class FakeTime:
    """Boot time and wall clock, each moved by hand."""

    def __init__(self, boot: float = 1000.0, wall: float = 1_800_000_000.0) -> None:
        self.boot = boot
        self.wall = wall

    def pass_by(self, seconds: float) -> None:
        self.boot += seconds
        self.wall += seconds


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


@pytest.fixture
def start_chrony(tmp_path: Path) -> Iterator[StartChrony]:
    """Start real servers; without the programs skip, but never on CI."""
    if absent := missing():
        reason = f"NOT TESTED AGAINST REAL SERVERS: install {absent} (apt-get install)"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    number = itertools.count()
    with contextlib.ExitStack() as running:

        def start(*, offset: float = 0.0) -> str:
            home = tmp_path / f"chrony{next(number)}"
            return running.enter_context(chronyd(home, offset=offset))

        yield start
