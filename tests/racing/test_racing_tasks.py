"""Two attempts in tasks: who wins, who is ended, and what is given back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from race_samples import BAD, GOOD, Seen, outcome

from router.errors import SigningError
from router.failover.verdict import Verdict
from router.outcome import Outcome
from router.racing import AsyncioRace, Runner, bell_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

LATE = 0.005
TICK = 0.02


class Attempts:
    """A race whose attempts end when they are told to."""

    def __init__(self) -> None:
        self.seen = Seen()
        self.left_behind: set[asyncio.Task[Any]] = set()
        loop = asyncio.get_running_loop()
        self.ends: list[asyncio.Future[Any]] = [loop.create_future(), loop.create_future()]
        self.cancelled = [False, False]
        self.runners: list[Runner] = []
        self.spare: Any = self.seen.permit
        self.attempting: Any = self.attempt

    async def run(self) -> list[Outcome]:
        self.race = AsyncioRace(
            self.attempting,
            self.spare,
            bell=bell_of(asyncio.get_running_loop()),
            discard=self.seen.discard_later,
            left_behind=self.left_behind,
        )
        return await self.race.run()

    async def attempt(self, runner: Runner, permit: Any = None) -> Outcome:
        number = 0 if runner.leads else 1
        self.runners.append(runner)
        runner.left(LATE)
        try:
            verdict = await self.ends[number]
        except asyncio.CancelledError:
            self.cancelled[number] = True
            if permit is not None:
                permit.give_back()
            raise
        except BaseException:
            if permit is not None:
                permit.give_back()
            raise
        if verdict is Verdict.COOLING:  # it found nobody to ask
            permit.give_back()
            return Outcome(verdict)
        return outcome(verdict, permit)

    def end(self, number: int, how: Verdict | Exception) -> None:
        if isinstance(how, Exception):
            self.ends[number].set_exception(how)
        else:
            self.ends[number].set_result(how)

    async def settled(self) -> None:
        await asyncio.sleep(TICK)
        assert not self.left_behind
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        assert not tasks


def play(body: Callable[[Attempts], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        made = Attempts()
        async with asyncio.timeout(5):
            await body(made)
            await made.settled()

    asyncio.run(whole())


WAYS: list[tuple[list[tuple[int, Any]], list[Verdict], int]] = [
    # who ends how and in which order, the outcomes that count, how many answers are discarded
    ([(0, GOOD)], [GOOD], 0),
    ([(1, GOOD)], [GOOD], 0),
    ([(0, BAD), (1, GOOD)], [BAD, GOOD], 0),
    ([(0, BAD), (1, BAD)], [BAD, BAD], 0),
    ([(1, BAD), (0, GOOD)], [GOOD], 1),
    ([(1, BAD), (0, BAD)], [BAD, BAD], 0),
    ([(0, SigningError("x")), (1, GOOD)], [GOOD], 0),
    ([(0, SigningError("x")), (1, BAD)], [BAD], 0),
    ([(1, SigningError("x")), (0, GOOD)], [GOOD], 0),
    ([(1, SigningError("x")), (0, BAD)], [BAD], 0),
    ([(0, BAD), (1, SigningError("x"))], [BAD], 0),
    ([(0, BAD), (1, Verdict.COOLING)], [BAD], 0),
]


@pytest.mark.parametrize(("order", "verdicts", "discarded"), WAYS)
def test_the_first_good_one_wins_and_a_bad_one_does_not_while_another_runs(
    order: list[tuple[int, Any]], verdicts: list[Verdict], discarded: int
) -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        for number, how in order:
            made.end(number, how)
            await asyncio.sleep(TICK)
        found = await running
        assert [o.verdict for o in found] == verdicts
        assert len(made.seen.discarded) == discarded
        assert running.cancelling() == 0
        kept = [o for o in found if o.flight is not None]
        for unwanted in kept:
            unwanted.flight.lease.give_back()  # type: ignore[union-attr]
        await asyncio.sleep(TICK)
        assert not list(made.seen.out())

    play(body)


def test_both_raise() -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        made.end(1, SigningError("second"))
        made.end(0, SigningError("first"))
        with pytest.raises(SigningError, match="first"):
            await running

    play(body)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_tie_leaves_nothing_behind(order: tuple[int, int]) -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        for number in order:
            made.end(number, GOOD)
        found = await running
        assert [o.verdict for o in found] == [GOOD]
        await asyncio.sleep(TICK)
        out = len(list(made.seen.out()))
        assert out == (found[0].flight.lease.holdings != [])  # type: ignore[union-attr]
        found[0].flight.lease.give_back()  # type: ignore[union-attr]
        assert not list(made.seen.out())
        assert running.cancelling() == 0

    play(body)


STATES = [
    # what has happened by the time that the caller is cancelled
    [],
    [(0, BAD)],
    [(1, BAD)],
    [(0, BAD), (1, BAD)],
    [(1, GOOD)],
    [(0, GOOD)],
    [(0, GOOD), (1, GOOD)],
    [(0, BAD), (1, GOOD)],
    [(0, SigningError("x"))],
]


@pytest.mark.parametrize("pause", [0.0, TICK])
@pytest.mark.parametrize("state", STATES)
def test_a_caller_that_is_cancelled_ends_both(state: list[tuple[int, Any]], pause: float) -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        for number, how in state:
            made.end(number, how)
        await asyncio.sleep(pause)
        running.cancel()
        try:
            found = await running
        except (asyncio.CancelledError, SigningError):
            found = []
        for wanted in found:
            made.seen.discard(wanted)
        await asyncio.sleep(TICK)
        assert not list(made.seen.out())
        ended = sum(isinstance(how, Verdict) for _, how in state)
        swallowed = made.cancelled.count(True)
        assert len(made.seen.discarded) + swallowed >= ended, "no answer is forgotten"

    play(body)


def test_a_second_attempt_that_is_dropped_before_its_first_step_gives_its_permit_back() -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(0)
        made.end(0, GOOD)
        made.race._begin()
        await running
        await asyncio.sleep(TICK)
        assert len(made.seen.permits) == 1
        assert len(made.runners) == 1, "it did not run"
        assert not list(made.seen.out())

    play(body)


def test_a_head_in_time_disarms_the_timer() -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(0)
        made.runners[0].head_came()
        await asyncio.sleep(LATE + TICK)
        made.end(0, GOOD)
        await running
        assert made.seen.permits == []

    play(body)


def test_where_nobody_pays_there_is_no_second_attempt() -> None:
    async def body(made: Attempts) -> None:
        made.spare = lambda: None
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        made.end(0, BAD)
        assert [o.verdict for o in await running] == [BAD]

    play(body)


def test_a_win_and_a_timeout_of_the_caller_at_once_is_a_timeout() -> None:
    async def body(made: Attempts) -> None:
        async def caller() -> None:
            async with asyncio.timeout(None) as limit:
                loop = asyncio.get_running_loop()
                loop.call_later(LATE + TICK, made.end, 1, GOOD)
                loop.call_later(LATE + TICK, limit.reschedule, 0.0)
                await made.run()

        with pytest.raises(TimeoutError):
            await caller()
        await asyncio.sleep(TICK)
        assert not list(made.seen.out())

    play(body)


def test_an_attempt_that_swallows_its_cancellation_has_lost_all_the_same() -> None:
    async def body(made: Attempts) -> None:
        whole = made.attempt

        async def stubborn(runner: Runner, permit: Any = None) -> Outcome:
            try:
                return await whole(runner, permit)
            except asyncio.CancelledError:
                return outcome(GOOD)

        made.attempting = stubborn
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        made.end(1, GOOD)
        found = await running
        assert found == [made.race._result()]
        assert running.cancelling() == 0
        await asyncio.sleep(TICK)
        assert len(made.seen.discarded) == 1
        made.seen.discard(found[0])

    play(body)


def test_a_bug_in_the_first_ends_the_second_and_is_raised() -> None:
    async def body(made: Attempts) -> None:
        running = asyncio.ensure_future(made.run())
        await asyncio.sleep(LATE + TICK)
        made.end(0, ZeroDivisionError("bug"))
        with pytest.raises(ZeroDivisionError):
            await running
        await asyncio.sleep(TICK)
        assert made.cancelled[1]
        assert not list(made.seen.out())

    play(body)
