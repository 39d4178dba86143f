"""Random callers in virtual time against everything at once: rates, window, queue, refunds, words.

The model is a ledger of what was used and when, kept by the test: who was admitted, at what cost,
and what of that was given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import router
from router.limits.headers import Word
from router.limits.limiter import Limiter, Permit, Ticket

ROUNDING = 1e-6
REQUESTS = (
    router.Bound(router.Rate(2, 1.0), burst=4),
    router.Bound(router.Rate(30, 60.0), burst=9),
)
TOKENS = router.Bound(router.Rate(20, 1.0), of="tokens", burst=40)
MOST = 3


@dataclass(eq=False)
class Request:
    """One caller: what it reserved, and what it used in the end."""

    requests: int
    tokens: float
    priority: int
    came: float
    number: int
    place: Permit | Ticket
    admitted: float | None = None

    @property
    def permit(self) -> Permit:
        assert isinstance(self.place, Permit)
        return self.place


class Callers(RuleBasedStateMachine):
    """Each rule is something that a caller, the service or time does."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = Limiter(router.Limits(rate=(*REQUESTS, TOKENS), concurrency=MOST))
        self.now, self.number = 50.0, 0
        self.out: list[Request] = []
        self.queue: list[Request] = []
        self.used: list[Request] = []
        self.told: dict[Request, float | None] = {}

    def collect(self) -> None:
        """Poll whoever was nudged or told a time that is over, as `acquire` does."""
        while any(self.poll(each) for each in list(self.queue)):
            pass  # whoever got a permit may have woken somebody before it

    def poll(self, request: Request) -> bool:
        """Return whether the request was admitted by that."""
        ticket, until = request.place, self.told.get(request)
        assert isinstance(ticket, Ticket)
        if not ticket.nudge.done() and (until is None or until > self.now):
            return False
        permit = ticket.poll(self.now)
        if permit is None:
            wait = ticket.wait(self.now)
            self.told[request] = None if wait is None else self.now + wait
            return False
        request.place = permit
        self.queue.remove(request)
        self.admit(request)
        return True

    def admit(self, request: Request) -> None:
        request.admitted = request.permit.at
        self.out.append(request)
        self.used.append(request)

    @rule(
        requests=st.integers(1, 4), tokens=st.sampled_from([0, 1, 10, 40]), level=st.integers(-2, 2)
    )
    def arrive(self, requests: int, tokens: float, level: int) -> None:
        place = self.limiter.admit(
            self.now, cost=requests, costs=[("tokens", tokens)], priority=level
        )
        self.number += 1
        request = Request(requests, tokens, level, self.now, self.number, place)
        if isinstance(place, Permit):
            self.admit(request)
        else:
            self.queue.append(request)
            wait = place.wait(self.now)
            self.told[request] = None if wait is None else self.now + wait
        self.collect()

    @precondition(lambda self: self.out)
    @rule(data=st.data(), share=st.sampled_from([0.0, 0.3, 1.0]))
    def end(self, data: st.DataObject, share: float) -> None:
        """End a request, and settle what it used: never more than it reserved."""
        request = data.draw(st.sampled_from(self.out))
        self.out.remove(request)
        used = share * request.tokens
        if data.draw(st.booleans()):
            request.permit.give_back()
            request.permit.settle(self.now, costs=[("tokens", used)])
        else:
            request.permit.settle(self.now, costs=[("tokens", used)])
            request.permit.give_back()
            request.permit.give_back()
        request.tokens = used
        self.collect()

    @precondition(lambda self: self.out)
    @rule(data=st.data())
    def not_sent(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.out))
        self.out.remove(request)
        request.permit.cancel(self.now)
        request.permit.cancel(self.now)
        request.permit.give_back()
        request.requests, request.tokens = 0, 0
        self.collect()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        request = data.draw(st.sampled_from(self.queue))
        self.queue.remove(request)
        assert isinstance(request.place, Ticket)
        request.place.leave()
        self.collect()

    @precondition(lambda self: self.out)
    @rule(
        data=st.data(),
        of=st.sampled_from(["requests", "tokens", "pages"]),
        remaining=st.integers(0, 50),
        reset=st.floats(0, 5),
    )
    def hear(self, data: st.DataObject, of: str, remaining: int, reset: float) -> None:
        request = data.draw(st.sampled_from(self.out))
        self.limiter.heard(request.permit, self.now, words=[Word(of, remaining, reset)])
        self.collect()

    @rule(seconds=st.floats(0, 3))
    def move_on(self, seconds: float) -> None:
        self.now += seconds
        self.collect()

    @rule(seconds=st.floats(0, 2))
    def hold(self, seconds: float) -> None:
        self.limiter.hold(self.now + seconds)
        self.collect()

    @invariant()
    def never_more_under_way_than_allowed(self) -> None:
        assert len(self.out) <= self.limiter.in_use <= MOST

    @invariant()
    def no_permit_is_lost(self) -> None:
        granted = [each for each in self.queue if each.place.permit is not None]  # type: ignore[union-attr]
        assert self.limiter.in_use == len(self.out) + len(granted)
        assert self.limiter.waiting == len(self.queue) - len(granted)

    @invariant()
    def somebody_who_can_wakes_the_head(self) -> None:
        waiting = [each for each in self.queue if each.place.permit is None]  # type: ignore[union-attr]
        if waiting and self.limiter.in_use < MOST:
            assert any(self.told.get(each) is not None for each in waiting)

    @invariant()
    def no_rate_is_exceeded_in_any_window(self) -> None:
        for bound in (*REQUESTS, TOKENS):
            total = 0.0
            last = self.used[-1].admitted if self.used else 0.0
            assert last is not None
            for each in reversed(self.used):
                total += each.tokens if bound is TOKENS else each.requests
                assert each.admitted is not None
                span = last - each.admitted
                assert total <= span / bound.rate.interval + bound.most + ROUNDING

    def teardown(self) -> None:
        """Everybody is served in the end: no priority starves, and no word holds for ever."""
        for _ in range(3000):
            if not self.queue:
                break
            while self.out:
                self.out.pop().permit.give_back()
            self.now += 0.5
            self.collect()
        assert self.queue == []


Callers.TestCase.settings = hypothesis_settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=True, database=None
)
TestEverythingAtOnce = pytest.mark.untraced(Callers.TestCase)


class Crowd:
    """A thousand callers of mixed costs and priorities, of whom five hundred give up."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.limiter = Limiter(router.Limits(rate=(router.Rate(400, 1.0), TOKENS), concurrency=7))
        self.queue: dict[int, tuple[Ticket, int]] = {}
        self.out: list[Permit] = []
        self.served: list[tuple[int, int]] = []
        for number in range(1000):
            self.come(number)
        self.leaving = self.random.sample(sorted(self.queue), 500)

    def come(self, number: int) -> None:
        level = self.random.choice([0, 0, 0, 1, 3])
        tokens = [("tokens", self.random.choice([0.0, 0.01, 0.1]))]
        place = self.limiter.admit(0.0, costs=tokens, priority=level)
        if isinstance(place, Permit):
            self.out.append(place)
        else:
            self.queue[number] = place, level

    def step(self, now: float) -> None:
        """End who is under way, let some give up, and serve the next."""
        while self.out:
            self.out.pop().give_back()
        for number in self.leaving[:3]:
            if number in self.queue:
                self.queue.pop(number)[0].leave()
        self.leaving = self.leaving[3:]
        for ticket, _ in list(self.queue.values())[:1]:
            ticket.poll(now)
        for number, (ticket, level) in list(self.queue.items()):
            if ticket.permit is not None:
                self.served.append((level, number))
                self.out.append(ticket.permit)
                del self.queue[number]


@pytest.mark.parametrize("seed", range(3))
def test_a_thousand_wait_with_priorities_and_five_hundred_give_up(seed: int) -> None:
    """F36 with several rates: no permit is lost, and each priority keeps its order."""
    crowd, now = Crowd(seed), 0.0
    while crowd.queue:
        now += 0.002
        crowd.step(now)
        assert crowd.limiter.in_use <= 7
    while crowd.out:
        crowd.out.pop().give_back()
    for level in (0, 1, 3):
        mine = [number for each, number in crowd.served if each == level]
        assert mine == sorted(mine)
    assert len(crowd.served) >= 493
    assert (crowd.limiter.in_use, crowd.limiter.waiting) == (0, 0)
