"""Threads and tasks that wait for real; the ports are the smallest that wait."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any, TypeVar

import pytest
from turns import acquire

from router.config.settings import Limits
from router.errors import LimitError
from router.limits.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from router.limits.limiter import Permit

T = TypeVar("T")
PATIENCE = 20.0


class ThreadPort:
    now = staticmethod(time.monotonic)

    async def wait(self, future: Future[T], timeout: float) -> T:
        return future.result(timeout)


class TaskPort:
    now = staticmethod(time.monotonic)

    async def wait(self, future: Future[T], timeout: float) -> T:
        return await asyncio.wait_for(asyncio.wrap_future(future), timeout)


class ScriptedPort:
    """A port whose waits take no time: each moves the clock on by its timeout."""

    def __init__(self) -> None:
        self.time = 100.0
        self.waits: list[float] = []

    def now(self) -> float:
        return self.time

    async def wait(self, future: Future[T], timeout: float) -> T:
        self.waits.append(timeout)
        if future.done():
            return future.result()
        self.time += timeout
        raise TimeoutError


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Drive a coroutine that never suspends."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise AssertionError("it suspended")


def make(**limits: Any) -> Limiter:
    return Limiter(Limits(**limits))


def soon() -> float:
    return time.monotonic() + PATIENCE


class Census:
    """Counts who is inside, as a server would."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = self.total = 0

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.total += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1


def test_threads_and_tasks_of_two_loops_share_one_limit() -> None:
    limiter, census = make(concurrency=5), Census()

    def visit() -> None:
        permit = run(acquire(limiter, ThreadPort(), deadline=soon()))
        census.enter()
        time.sleep(0.001)
        census.leave()
        permit.give_back()

    async def visit_async() -> None:
        permit = await acquire(limiter, TaskPort(), deadline=soon())
        census.enter()
        await asyncio.sleep(0.001)
        census.leave()
        permit.give_back()

    async def crowd() -> None:
        await asyncio.gather(*(visit_async() for _ in range(200)))

    with ThreadPoolExecutor(34) as pool:
        loops = [pool.submit(asyncio.run, crowd()) for _ in range(2)]
        threads = [pool.submit(visit) for _ in range(200)]
        for each in [*loops, *threads]:
            each.result(PATIENCE)
    assert census.total == 600
    assert census.most == 5
    assert (limiter.in_use, limiter.waiting) == (0, 0)


def test_the_computed_wait_is_slept_once_and_not_polled() -> None:
    limiter, port = make(rate="10/s", burst=1), ScriptedPort()
    run(acquire(limiter, port, deadline=200.0))
    run(acquire(limiter, port, deadline=200.0))
    run(acquire(limiter, port, deadline=200.0))
    assert port.waits == pytest.approx([0.1, 0.1])
    assert port.now() == pytest.approx(100.2)


def test_a_wait_known_to_pass_the_deadline_is_refused_without_waiting() -> None:
    limiter, port = make(rate="1/s", burst=1), ScriptedPort()
    run(acquire(limiter, port, deadline=200.0))
    with pytest.raises(LimitError) as caught:
        run(acquire(limiter, port, deadline=100.9))
    assert caught.value.retry_after == pytest.approx(1.0)
    assert port.waits == []
    assert limiter.waiting == 0


def test_a_permit_that_does_not_come_back_in_time_ends_at_the_deadline() -> None:
    limiter, port = make(concurrency=1), ScriptedPort()
    run(acquire(limiter, port, deadline=200.0))
    with pytest.raises(LimitError, match="before the request's deadline"):
        run(acquire(limiter, port, deadline=103.0))
    assert port.now() == pytest.approx(103.0)
    assert (limiter.in_use, limiter.waiting) == (1, 0)


def test_a_deadline_of_never_is_waited_for_in_naps() -> None:
    limiter, port = make(concurrency=1), ScriptedPort()
    held = run(acquire(limiter, port, deadline=float("inf")))

    class Patient(ScriptedPort):
        async def wait(self, future: Future[T], timeout: float) -> T:
            if len(self.waits) == 2:
                held.give_back()
            return await super().wait(future, timeout)

    patient = Patient()
    run(acquire(limiter, patient, deadline=float("inf")))
    assert patient.waits == [3600.0] * 3


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, asyncio.CancelledError])
def test_an_interrupted_wait_leaves_the_queue(error: type[BaseException]) -> None:
    class Interrupted(ScriptedPort):
        async def wait(self, *_: object) -> Any:
            raise error

    limiter = make(concurrency=1)
    held = run(acquire(limiter, ScriptedPort(), deadline=200.0))
    with pytest.raises(error):
        run(acquire(limiter, Interrupted(), deadline=200.0))
    held.give_back()
    assert (limiter.in_use, limiter.waiting) == (0, 0)


def test_a_thousand_tasks_wait_and_five_hundred_are_cancelled() -> None:
    limiter, random, served = make(concurrency=4), Random(36), []

    async def visit(number: int) -> None:
        permit = await acquire(limiter, TaskPort(), deadline=soon())
        served.append(number)
        await asyncio.sleep(0)
        permit.give_back()

    async def crowd() -> list[int]:
        held = [await acquire(limiter, TaskPort(), deadline=soon()) for _ in range(4)]
        tasks = [asyncio.create_task(visit(number)) for number in range(1000)]
        await asyncio.sleep(0)  # each task runs up to its place in the queue
        assert limiter.waiting == 1000
        cancelled = random.sample(range(1000), 500)
        for count, number in enumerate(cancelled):
            tasks[number].cancel()
            if count in (100, 200, 300, 400):
                held.pop().give_back()
        await asyncio.gather(*tasks, return_exceptions=True)
        return cancelled

    cancelled = set(asyncio.run(crowd()))
    assert len(served) == len(set(served)) >= 500
    assert set(range(1000)) - cancelled <= set(served)
    assert served == sorted(served)
    assert (limiter.in_use, limiter.waiting) == (0, 0)
    assert len([limiter.admit(0.0) for _ in range(4)]) == limiter.in_use == 4


def test_threads_that_time_out_and_tasks_that_are_cancelled_lose_no_permit() -> None:
    limiter, random = make(concurrency=3, rate="100000/s"), Random(5)

    def hold(permit: Permit) -> None:
        time.sleep(0.0005)
        permit.give_back()

    def visit() -> None:
        for _ in range(40):
            deadline = time.monotonic() + random.uniform(0, 0.003)
            try:
                hold(run(acquire(limiter, ThreadPort(), deadline=deadline)))
            except LimitError:
                continue

    async def visit_async() -> None:
        for _ in range(40):
            try:
                async with asyncio.timeout(random.uniform(0, 0.003)):
                    permit = await acquire(limiter, TaskPort(), deadline=soon())
            except TimeoutError:
                continue
            await asyncio.sleep(0)
            permit.give_back()

    async def crowd() -> None:
        await asyncio.gather(*(visit_async() for _ in range(20)))

    with ThreadPoolExecutor(17) as pool:
        loop = pool.submit(asyncio.run, crowd())
        for each in [pool.submit(visit) for _ in range(16)]:
            each.result(PATIENCE)
        loop.result(PATIENCE)
    assert (limiter.in_use, limiter.waiting) == (0, 0)


def test_a_loop_that_ends_with_waiters_leaves_their_places() -> None:
    limiter = make(concurrency=1)
    held = run(acquire(limiter, ThreadPort(), deadline=soon()))

    async def abandon() -> None:
        waiting = asyncio.create_task(acquire(limiter, TaskPort(), deadline=soon()))
        await asyncio.sleep(0)
        assert limiter.waiting == 1
        assert not waiting.done()

    asyncio.run(abandon())
    held.give_back()
    assert (limiter.in_use, limiter.waiting) == (0, 0)
