"""When a lease is renewed: early for the first that goes short, and never before its time."""

from __future__ import annotations

import asyncio

from router.shared.renewal import Renewal


class Exchanges:
    """What the background asks; it would rest for an hour each time."""

    def __init__(self) -> None:
        self.count = 0
        self.went = asyncio.Event()

    async def once(self) -> float:
        self.count += 1
        self.went.set()
        return 3600.0

    async def next(self) -> None:
        async with asyncio.timeout(10):
            await self.went.wait()
        self.went.clear()


def test_who_goes_short_first_wakes_it_and_others_need_not() -> None:
    async def main() -> None:
        renewal, exchanges = Renewal(patience=1.0, clock=lambda: 0.0), Exchanges()
        running = asyncio.create_task(renewal.run(exchanges.once))
        await exchanges.next()
        assert [renewal.claim() for _ in range(3)] == [True, False, False]
        await asyncio.to_thread(renewal.wake)
        await exchanges.next()
        assert renewal.claim(), "it has looked meanwhile"
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        renewal.wake()

    asyncio.run(main())


def test_who_wakes_it_too_early_is_served_when_it_may_ask() -> None:
    async def main() -> None:
        loop, exchanges = asyncio.get_running_loop(), Exchanges()
        renewal = Renewal(patience=1.0, clock=loop.time)
        running = asyncio.create_task(renewal.run(exchanges.once))
        await exchanges.next()
        renewal.next_ask = loop.time() + 0.1
        renewal.wake()
        await exchanges.next()
        assert loop.time() >= renewal.next_ask
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(main())


def test_patience_begins_with_the_first_that_goes_short_or_when_it_may_ask() -> None:
    renewal = Renewal(patience=1.0, clock=lambda: 0.0)
    assert renewal.left(5.0) == 1.0
    assert renewal.left(5.75) == 0.25
    renewal.next_ask = 6.0
    assert renewal.left(5.75) == 1.25
    renewal.short_since = None
    assert renewal.left(7.0) == 1.0
