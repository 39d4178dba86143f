"""What a fleet may have under way: each permit takes a slot, and gives it back."""

from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest
from turns import acquire

from router.config.settings import Limits
from router.errors import LimitError
from router.limits.limiter import Limiter, Permit, Ticket


class Waits:
    """The port of a task, as far as a wait for a permit needs it."""

    now = staticmethod(time.monotonic)

    async def wait(self, future: Future[Any], timeout: float) -> Any:
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)


if TYPE_CHECKING:
    from concurrent.futures import Future

AGAIN = 0.05


class Leased:
    """So many slots as a test says; a quota of slots in a fleet's hand."""

    def __init__(self, allowed: int) -> None:
        self.allowed, self.out, self.asked = allowed, 0, 0

    def take(self, now: float, *, waiting: int = 1) -> float:  # noqa: ARG002 - as Slots says
        self.asked = waiting
        if self.out >= self.allowed:
            return AGAIN
        self.out += 1
        return 0.0

    def give_back(self) -> None:
        self.out -= 1
        assert self.out >= 0


def made(allowed: int, **limits: Any) -> tuple[Limiter, Leased]:
    slots = Leased(allowed)
    return Limiter(Limits(**limits), slots=slots), slots


def test_a_permit_takes_a_slot_and_gives_it_back_once() -> None:
    limiter, slots = made(2, concurrency=4)
    permits = [limiter.admit(0.0), limiter.admit(0.0)]
    assert slots.out == 2
    for permit in permits:
        assert isinstance(permit, Permit)
        permit.give_back()
        permit.give_back()
    assert slots.out == 0


def test_who_finds_no_slot_looks_again_and_is_woken_when_some_came() -> None:
    limiter, slots = made(0, concurrency=4)
    first, second = limiter.admit(1.0), limiter.admit(1.0)
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert first.poll(1.0) is None
    assert slots.asked == 2
    assert first.wait(1.0) == pytest.approx(AGAIN)
    assert first.guesses
    assert second.wait(1.0) is None
    slots.allowed = 2
    limiter.replenished()
    assert first.nudge.done()
    assert isinstance(first.poll(1.001), Permit)
    assert second.nudge.done()
    assert isinstance(second.poll(1.001), Permit)


def test_what_comes_back_here_wakes_the_head_who_knows_the_time() -> None:
    limiter, slots = made(1, concurrency=4)
    held, waiting = limiter.admit(0.0), limiter.admit(0.0)
    assert isinstance(held, Permit)
    assert isinstance(waiting, Ticket)
    waiting.poll(0.0)
    waiting.wait(0.0)
    held.give_back()
    assert waiting.nudge.done()
    assert limiter.in_use == 0  # nobody is granted as of a time that is past
    assert isinstance(waiting.poll(0.01), Permit)
    assert slots.out == 1


def test_a_rate_that_refuses_costs_no_slot_and_a_missing_slot_no_rate() -> None:
    limiter, slots = made(5, concurrency=5, rate="1/s", burst=1)
    assert isinstance(limiter.admit(0.0), Permit)
    assert isinstance(limiter.admit(0.0), Ticket)
    assert slots.out == 1
    limiter, slots = made(0, concurrency=5, rate="1/s", burst=1)
    assert isinstance(limiter.admit(0.0), Ticket)
    assert limiter.lefts(0.0)[0][1] == 1


def test_a_place_that_is_left_after_it_was_granted_gives_its_slot_back() -> None:
    limiter, slots = made(0, concurrency=4)
    first, second = limiter.admit(0.0), limiter.admit(0.0)
    slots.allowed = 2
    assert isinstance(first, Ticket)
    assert isinstance(second, Ticket)
    assert isinstance(first.poll(0.1), Permit)
    assert slots.out == 2  # the second was granted with it
    second.leave()
    assert slots.out == 1


def test_a_deadline_before_the_next_look_is_waited_for() -> None:
    limiter, slots = made(0, concurrency=4)

    async def body() -> None:
        port, loop = Waits(), asyncio.get_running_loop()
        loop.call_later(0.005, setattr, slots, "allowed", 1)
        loop.call_later(0.006, limiter.replenished)
        permit = await acquire(limiter, port, port.now() + AGAIN / 2)
        with pytest.raises(LimitError, match="no permit was given back") as caught:
            await acquire(limiter, port, port.now() + AGAIN / 5)
        assert caught.value.retry_after is None
        permit.give_back()

    asyncio.run(body())
    gc.collect()
    assert (slots.out, limiter.in_use, limiter.waiting) == (0, 0, 0)
