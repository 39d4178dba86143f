"""A thread that is interrupted at any moment (Ctrl-C) leaves no lock that others wait for."""

from __future__ import annotations

import random
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from router.clock.clock import Clock
from router.config.settings import Limits
from router.limits.limiter import Limiter
from router.limits.permit import Permit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INTERRUPTS = 3000
ROUNDS = 20


def interrupt(_: int, __: object) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def storm(work: Callable[[], object], locked: Callable[[], bool]) -> None:
    """Interrupt work again and again, and look at its lock each time."""
    chance = random.Random(7)
    for number in range(INTERRUPTS):
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(1e-6, 6e-5))
            for _ in range(ROUNDS):
                work()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            pass
        assert not locked(), f"left by interrupt {number}"


@pytest.mark.parametrize("limits", [{}, {"rate": "1000000/s"}])
def test_of_the_limiter(limits: dict[str, Any]) -> None:
    limiter = Limiter(Limits(concurrency=10_000_000, **limits))

    def work() -> None:
        permit = limiter.admit(0.0)
        assert isinstance(permit, Permit)
        permit.give_back()
        limiter.take_back(permit)

    with interrupts():
        storm(work, limiter._lock.locked)


def test_of_the_clock() -> None:
    clock = Clock(max_error=0.5)

    def work() -> None:
        clock._until = 1  # so each reading looks
        clock.now()

    with interrupts():
        storm(work, clock._lock.locked)
