"""A thread that is interrupted at any moment (Ctrl-C) leaves no slot of a pool taken.

The wire over the core is not asked: there a pool keeps what an interrupt left of a request.
"""

from __future__ import annotations

import contextlib
import gc
import random
import signal
import time
from typing import Any, NoReturn

import pytest
from wire_pools import slots

import router
import router.httpx2
from router.testing import Regions

SYNC: dict[str, Any] = {"httpx": router.Client, "httpx2": router.httpx2.Client}
INTERRUPTS = 200
PATIENCE = 10.0


def config(one: Regions) -> router.Config:
    limits = router.Limits(concurrency=10)
    return one.config(probe=router.Probe(enabled=False), limits=limits)


def interrupt(_: int, __: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("family", SYNC)
def test_an_interrupt_at_any_moment_leaves_no_slot_taken(family: str) -> None:
    chance, before = random.Random(7), signal.signal(signal.SIGALRM, interrupt)
    cut = 0
    try:
        with Regions(None, a=0.02) as one, SYNC[family](config(one)) as client:
            assert client.get("/").status_code == 200
            for _ in range(INTERRUPTS):
                with contextlib.suppress(KeyboardInterrupt):
                    signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0005, 0.03))
                    client.get("/")
                    signal.setitimer(signal.ITIMER_REAL, 0)
                    continue
                cut += 1
            signal.setitimer(signal.ITIMER_REAL, 0)
            gc.collect()
            until = time.monotonic() + PATIENCE
            while slots(client):
                assert time.monotonic() < until, f"still taken: {slots(client)}"
                time.sleep(0.01)
            assert client.get("/").status_code == 200
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert cut > INTERRUPTS / 10
