from __future__ import annotations

import gc
import math
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from router.config.settings import Limits
from router.errors import LimitError, OptionsError
from router.limits.limiter import Limiter, Permit, Ticket

if TYPE_CHECKING:
    from collections.abc import Iterator


def make(**limits: Any) -> Limiter:
    return Limiter(Limits(**limits))


def permit(admitted: Permit | Ticket | None) -> Permit:
    assert isinstance(admitted, Permit)
    return admitted


def ticket(admitted: Permit | Ticket) -> Ticket:
    assert isinstance(admitted, Ticket)
    return admitted


def test_without_limits_every_permit_is_the_same_and_costs_nothing() -> None:
    limiter = make()
    first, second = permit(limiter.admit(0.0)), permit(limiter.admit(0.0))
    assert first is second
    first.give_back()
    assert limiter.in_use == 0


def test_no_more_than_the_concurrency_is_out_and_the_next_gets_what_comes_back() -> None:
    limiter = make(concurrency=2)
    first, _ = permit(limiter.admit(0.0)), permit(limiter.admit(0.0))
    waiting = ticket(limiter.admit(0.0))
    assert waiting.poll(1.0) is None
    assert waiting.wait(1.0) is None
    first.give_back()
    assert waiting.nudge.done()
    assert isinstance(waiting.poll(1.0), Permit)
    assert (limiter.in_use, limiter.waiting) == (2, 0)


def test_giving_back_twice_frees_one_place() -> None:
    limiter = make(concurrency=1)
    first = permit(limiter.admit(0.0))
    first.give_back()
    permit(limiter.admit(0.0))
    first.give_back()
    ticket(limiter.admit(0.0))
    assert limiter.in_use == 1


def test_the_queue_is_first_come_first_served_and_a_newcomer_passes_nobody() -> None:
    limiter = make(concurrency=1)
    out = permit(limiter.admit(0.0))
    queue = [ticket(limiter.admit(0.0)) for _ in range(5)]
    while queue:
        out.give_back()
        newcomer = ticket(limiter.admit(0.0))
        granted = [each.permit is not None for each in [*queue, newcomer]]
        assert granted == [True] + [False] * len(queue)
        newcomer.leave()
        out = permit(queue.pop(0).poll(0.0))


def test_a_thousand_wait_and_five_hundred_leave_and_no_permit_and_no_place_is_lost() -> None:
    limiter = make(concurrency=3)
    random = Random(36)
    out = [permit(limiter.admit(0.0)) for _ in range(3)]
    queue = [ticket(limiter.admit(0.0)) for _ in range(1000)]
    leaving = set(random.sample(range(1000), 500))
    served: list[int] = []
    for index in random.sample(sorted(leaving), 500):
        queue[index].leave()
        if random.random() < 0.2 and out:
            out.pop().give_back()
    staying = [index for index in range(1000) if index not in leaving]
    assert limiter.waiting + limiter.in_use - len(out) == 500
    while len(served) < 500:
        ready = [index for index in staying if queue[index].permit and index not in served]
        for index in ready:
            served.append(index)
            permit(queue[index].poll(0.0)).give_back()
        if out:
            out.pop().give_back()
    assert served == staying
    assert (limiter.in_use, limiter.waiting) == (0, 0)
    assert all(isinstance(limiter.admit(0.0), Permit) for _ in range(3))
    assert isinstance(limiter.admit(0.0), Ticket)


def test_who_leaves_after_being_granted_gives_the_permit_to_the_next() -> None:
    limiter = make(concurrency=1)
    out = permit(limiter.admit(0.0))
    first, second = ticket(limiter.admit(0.0)), ticket(limiter.admit(0.0))
    out.give_back()
    assert first.nudge.done()
    first.leave()
    first.leave()
    assert second.nudge.done()
    assert isinstance(second.poll(0.0), Permit)
    assert first.poll(0.0) is None
    assert limiter.in_use == 1


def test_the_head_knows_its_wait_and_is_admitted_when_it_is_over() -> None:
    limiter = make(rate="10/s", burst=1)
    permit(limiter.admit(100.0))
    head, second = ticket(limiter.admit(100.0)), ticket(limiter.admit(100.0))
    assert head.wait(100.0) == pytest.approx(0.1)
    assert second.wait(100.0) is None
    assert head.poll(100.05) is None
    assert head.wait(100.05) == pytest.approx(0.05)
    assert isinstance(head.poll(100.1), Permit)
    assert second.nudge.done()
    assert second.poll(100.1) is None
    assert second.wait(100.1) == pytest.approx(0.1)


def test_a_place_left_by_the_head_wakes_the_new_head_to_learn_its_wait() -> None:
    limiter = make(rate="10/s", burst=1)
    permit(limiter.admit(100.0))
    head, second = ticket(limiter.admit(100.0)), ticket(limiter.admit(100.0))
    assert head.wait(100.0) is not None
    head.leave()
    assert second.nudge.done()


def test_a_permit_that_comes_back_wakes_a_head_that_has_the_rate_to_wait_for() -> None:
    limiter = make(rate="10/s", burst=1, concurrency=1)
    out = permit(limiter.admit(100.0))
    head = ticket(limiter.admit(100.0))
    assert head.poll(100.0) is None
    assert head.wait(100.0) is None
    out.give_back()
    assert head.nudge.done()
    assert head.poll(100.02) is None
    assert not head.nudge.done()
    assert head.wait(100.02) == pytest.approx(0.08)


def test_a_newcomer_s_clock_admits_a_head_that_overslept() -> None:
    limiter = make(rate="10/s", burst=1)
    permit(limiter.admit(100.0))
    head = ticket(limiter.admit(100.0))
    ticket(limiter.admit(100.15))
    assert head.nudge.done()
    assert head.permit is not None


def test_a_clock_read_before_another_thread_s_does_not_turn_time_back() -> None:
    limiter = make(rate="10/s", burst=1)
    permit(limiter.admit(100.2))
    late = ticket(limiter.admit(100.0))
    assert late.wait(100.0) == pytest.approx(0.1)
    assert isinstance(late.poll(100.3001), Permit)


@pytest.mark.parametrize(
    ("rate", "burst", "at_once"),
    [("20/minute", None, 2), ("5/s", None, 1), ("100/s", None, 10), ("100/s", 3, 3)],
)
def test_the_burst_is_a_tenth_of_the_rate_s_events_unless_it_is_set(
    rate: str, burst: int | None, at_once: int
) -> None:
    limiter = make(rate=rate, burst=burst)
    admitted = [limiter.admit(0.0) for _ in range(at_once + 1)]
    assert [isinstance(each, Permit) for each in admitted] == [True] * at_once + [False]


def test_a_full_queue_before_a_window_guesses_the_wait_by_what_is_under_way() -> None:
    limiter = make(concurrency=2, queue=4)
    for at in (0.0, 1.0):
        permit(limiter.admit(at))
    for _ in range(4):
        ticket(limiter.admit(1.0))
    with pytest.raises(LimitError, match="would wait about 15 s") as caught:
        limiter.admit(3.5)
    assert caught.value.retry_after == pytest.approx(15.0)  # 5 before and with it, 2 at once, 6 s


def test_a_full_queue_refuses_and_says_how_long_the_wait_would_be() -> None:
    limiter = make(rate="10/s", burst=1, queue=2)
    for _ in range(3):
        limiter.admit(100.0)
    with pytest.raises(LimitError, match=r"^2 requests wait .* wait 0\.3 s$") as caught:
        limiter.admit(100.0)
    assert caught.value.retry_after == pytest.approx(0.3)
    assert limiter.waiting == 2


def test_a_wait_beyond_the_deadline_is_refused_before_it_begins() -> None:
    limiter = make(rate="10/s", burst=1)
    for _ in range(6):
        limiter.admit(100.0)
    assert limiter.estimate(100.0) == pytest.approx(0.6)
    assert isinstance(limiter.admit(100.0, deadline=100.7), Ticket)
    with pytest.raises(LimitError, match=r"in 0\.7 s, but its deadline is in 0\.5 s$") as caught:
        limiter.admit(100.0, deadline=100.5)
    assert caught.value.retry_after == pytest.approx(0.7)


def test_those_who_leave_shorten_the_estimate() -> None:
    limiter = make(rate="10/s", burst=1)
    permit(limiter.admit(100.0))
    queue = [ticket(limiter.admit(100.0)) for _ in range(9)]
    for each in queue[1:]:
        each.leave()
    assert limiter.estimate(100.0) == pytest.approx(0.2)


@pytest.mark.parametrize("cost", [0, -1, 3, math.nan, math.inf])
def test_a_cost_that_could_never_be_admitted_is_the_caller_s_error(cost: float) -> None:
    limiter = make(rate="10/s", burst=2)
    with pytest.raises(OptionsError, match=r"limits\.burst|give more than 0"):
        limiter.admit(0.0, cost=cost)
    assert isinstance(limiter.admit(0.0, cost=2), Permit)


def test_a_dear_request_at_the_head_is_not_overtaken_by_cheap_ones() -> None:
    limiter = make(rate="10/s", burst=5)
    permit(limiter.admit(100.0, cost=5))
    dear, cheap = ticket(limiter.admit(100.0, cost=5)), ticket(limiter.admit(100.0))
    assert cheap.poll(100.3) is None
    assert dear.wait(100.3) == pytest.approx(0.2)
    assert isinstance(dear.poll(100.5001), Permit)
    assert cheap.poll(100.5001) is None


def test_a_nudge_cancelled_by_its_waiter_is_replaced() -> None:
    limiter = make(concurrency=1)
    out = permit(limiter.admit(0.0))
    head = ticket(limiter.admit(0.0))
    head.nudge.cancel()
    assert head.poll(0.0) is None
    assert not head.nudge.done()
    out.give_back()
    assert head.nudge.done()
    head.nudge.result(0)


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Nothing is collected before the test says so."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
def test_a_permit_collected_while_the_lock_is_held_comes_back_when_it_is_released() -> None:
    class Finalized:
        """Gives its permit back when it is collected, as an abandoned response does."""

        def __init__(self, permit: Permit) -> None:
            self.permit = permit
            self.cycle = self

        def __del__(self) -> None:
            self.permit.give_back()

    limiter = make(concurrency=1)
    Finalized(permit(limiter.admit(0.0)))
    head = ticket(limiter.admit(0.0))
    with limiter._lock:
        gc.collect()
        assert limiter.in_use == 1
    assert head.wait(0.0) is None
    assert head.nudge.done()
    assert isinstance(head.poll(0.0), Permit)


def test_a_forked_child_starts_with_all_permits() -> None:
    limiter = make(concurrency=1)
    parents = permit(limiter.admit(0.0))
    ticket(limiter.admit(0.0))
    limiter._lock.acquire()
    limiter.reset_after_fork()
    permit(limiter.admit(0.0))
    parents.give_back()
    assert (limiter.in_use, limiter.waiting) == (1, 0)


class LimiterMachine(RuleBasedStateMachine):
    """Random callers; the model is who came when, and who holds what."""

    MOST, BURST, RATE = 3, 4, 2.0

    def __init__(self) -> None:
        super().__init__()
        self.limiter = make(concurrency=self.MOST, rate="2/s", burst=self.BURST)
        self.now = 50.0
        self.out: list[Permit] = []
        self.queue: list[Ticket] = []
        self.spent: list[tuple[float, int]] = []
        self.told: dict[Ticket, float | None] = {}

    def collect(self) -> None:
        """Poll everyone who was nudged, or whose wait is over; admitted ones form a prefix."""
        for each in list(self.queue):
            told = self.told.get(each)
            if each.nudge.done() or (told is not None and told <= self.now):
                self.poll(each)
        for each in list(self.queue):
            self.told[each] = None if (w := each.wait(self.now)) is None else self.now + w

    def poll(self, each: Ticket) -> None:
        found = each.poll(self.now)
        if found is not None:
            before = self.queue[: self.queue.index(each)]
            assert all(earlier.permit is not None for earlier in before)
            self.queue.remove(each)
            self.out.append(found)
            self.spent.append((self.now, int(each.cost)))

    @rule(cost=st.integers(1, 4))
    def arrive(self, cost: int) -> None:
        admitted = self.limiter.admit(self.now, cost=cost)
        if isinstance(admitted, Permit):
            assert not [each for each in self.queue if each.permit is None]
            self.out.append(admitted)
            self.spent.append((self.now, cost))
        else:
            self.queue.append(admitted)
            self.told[admitted] = None
        self.collect()

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        found = data.draw(st.sampled_from(self.out))
        self.out.remove(found)
        found.give_back()
        found.give_back()
        self.collect()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        each = data.draw(st.sampled_from(self.queue))
        self.queue.remove(each)
        each.leave()
        self.collect()

    @rule(seconds=st.floats(0, 2))
    def move_on(self, seconds: float) -> None:
        self.now += seconds
        self.collect()

    @invariant()
    def never_more_out_than_allowed(self) -> None:
        assert len(self.out) <= self.MOST
        assert self.limiter.in_use <= self.MOST

    @invariant()
    def nothing_is_lost(self) -> None:
        granted = [each for each in self.queue if each.permit is not None]
        assert self.limiter.in_use == len(self.out) + len(granted)
        assert self.limiter.waiting == len(self.queue) - len(granted)

    @invariant()
    def nobody_waits_who_could_go(self) -> None:
        waiting = [each for each in self.queue if each.permit is None]
        if waiting and self.limiter.in_use < self.MOST:
            assert self.told[waiting[0]] is not None

    @invariant()
    def the_rate_holds(self) -> None:
        total = 0
        for now, cost in reversed(self.spent):
            total += cost
            assert total <= self.RATE * (self.now - now) + self.BURST + 1e-6

    def teardown(self) -> None:
        for _ in range(1000):
            if not self.queue:
                break
            while self.out:
                self.out.pop().give_back()
            self.now += 0.5
            self.collect()
        assert self.queue == []


LimiterMachine.TestCase.settings = hypothesis_settings(
    max_examples=150, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
TestLimiterUnderRandomCallers = pytest.mark.untraced(LimiterMachine.TestCase)
