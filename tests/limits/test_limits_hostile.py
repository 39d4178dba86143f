"""What answers say of limits: absurd, many, or a lie of one endpoint; and the end of a router."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from turns import acquire

import router
from router.limits.headers import Word, said
from router.limits.limiter import MOST_WORDS, Limiter, Permit, Ticket
from router.limits.usage import Used, tokens_used
from router.ports import AsyncioPort
from router.testing import Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR = 3600.0
ONE = Word("requests", 0, HOUR)
LIES = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "3600")]


def make(**limits: Any) -> Limiter:
    return Limiter(router.Limits(**{"rate": "100/s", "burst": 10, **limits}))


def granted(admitted: Permit | Ticket | None) -> Permit:
    assert isinstance(admitted, Permit)
    return admitted


@pytest.fixture
def regions() -> Iterator[Regions]:
    with Regions(near=0, far=0) as regions:
        yield regions


def test_words_about_ever_new_things_are_not_kept_for_ever() -> None:
    limiter = make()
    for number in range(1000):
        fields = [
            (b"ratelimit-policy", b'"a";q=10;w=60;qu="thing-%d"' % number),
            (b"ratelimit", b'"a";r=5;t=9'),
        ]
        permit = granted(limiter.admit(float(number)))
        limiter.heard(permit, float(number), words=said(fields, lambda: 0.0))
        permit.give_back()
    limiter.heard(permit, 1000.0, words=[Word("thing-1", 1, 1.0)])
    assert len(limiter.words()) == MOST_WORDS
    assert limiter.words()["thing-1"][0].remaining == 1


@pytest.mark.parametrize(
    ("rate", "longest"), [(router.Rate(40000, 60.0), HOUR), (router.Rate(100000, 86400.0), 86400.0)]
)
def test_a_bill_that_is_absurd_stops_nobody_for_days(rate: router.Rate, longest: float) -> None:
    body = b'{"usage": {"input_tokens": 100000000, "output_tokens": 0}}'
    used = tokens_used(Used(200, (), body))
    assert used is not None
    bound = router.Bound(rate, of="tokens", burst=8000, cost=500.0)
    limiter = make(rate=(bound,), burst=None)
    permits = [granted(limiter.admit(0.0)) for _ in range(5)]
    for permit in permits:
        permit.settle(0.0, costs=used.items())
        permit.settle(0.0, costs=[("tokens", 1.0)])
        permit.settle(0.0, costs=used.items())
    ticket = limiter.admit(0.0)
    assert isinstance(ticket, Ticket)
    assert 0 < (ticket.wait(0.0) or 0.0) <= 1.5 * longest


def test_a_doubted_word_lets_one_request_ask_anew_now_and_then() -> None:
    limiter = make()
    limiter.heard(granted(limiter.admit(0.0)), 0.0, words=[ONE], doubted=True)
    ticket = limiter.admit(0.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(0.0) == pytest.approx(10.0)
    assert ticket.poll(9.9) is None
    granted(ticket.poll(10.0))
    other = limiter.admit(10.0)
    assert isinstance(other, Ticket)
    assert other.wait(10.0) == pytest.approx(10.0)
    limiter.heard(granted(other.poll(20.0)), 20.0, words=[Word("requests", 50, HOUR)])
    assert all(isinstance(limiter.admit(20.0), Permit) for _ in range(8))


def test_what_nobody_doubts_holds_to_its_end() -> None:
    limiter = make()
    limiter.heard(granted(limiter.admit(0.0)), 0.0, words=[ONE])
    ticket = limiter.admit(0.0)
    assert isinstance(ticket, Ticket)
    assert ticket.wait(0.0) == pytest.approx(HOUR)


@pytest.mark.parametrize("status", [200, 429])
def test_one_endpoint_that_lies_stops_the_others_for_seconds_and_not_for_its_hour(
    regions: Regions, status: int
) -> None:
    lies = [*LIES[:1], ("X-RateLimit-Reset", "4")]
    for region in regions:
        region.respond = lambda _: Reply(status, headers=lies)
    config = router.Config(
        endpoints=regions.endpoints(),
        probe=router.Probe(enabled=False),
        limits=router.Limits(rate=router.Rate(1000, 1.0)),
    )
    with router.Client(config) as client:
        client.get("/", extensions={"router": router.Options(repeat=None, deadline=0.5)})
        liar = next(region for region in regions if region.requests)
        for region in regions:
            if region is not liar:
                region.respond = lambda _: Reply(
                    headers=[("X-RateLimit-Remaining", "900"), LIES[1]]
                )
        began = time.monotonic()
        soon = {"router": router.Options(deadline=3.0)}
        assert [client.get("/", extensions=soon).status_code for _ in range(5)] == [200] * 5
        assert time.monotonic() - began < 2.5


def test_who_waits_for_the_limiter_of_a_router_that_is_closed_is_sent_away(
    regions: Regions,
) -> None:
    config = router.Config(
        endpoints=regions.endpoints(),
        probe=router.Probe(enabled=False),
        limits=router.Limits(concurrency=1),
    )
    shared = router.Router(config)
    held = granted(shared.limiter.admit(shared.now()))
    errors: list[Exception] = []

    def ask() -> None:
        with router.Client(shared) as client:
            try:
                client.get("/", extensions={"router": router.Options(deadline=60.0)})
            except router.RouterError as error:
                errors.append(error)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 5.0
    while shared.limiter.waiting < len(threads) and time.monotonic() < until:
        time.sleep(0.01)
    shared.close()
    for thread in threads:
        thread.join(5.0)
    assert [type(error).__mro__[1].__name__ for error in errors] == ["ClosedError"] * 3
    assert (shared.limiter.waiting, shared.limiter.in_use) == (0, 1)
    held.give_back()


@pytest.mark.alone
@pytest.mark.parametrize("limits", [{}, {"concurrency": 3}])
def test_of_a_thousand_that_wait_the_half_may_go_and_no_permit_is_lost(
    limits: dict[str, Any],
) -> None:
    async def storm() -> None:
        limiter, port = make(rate="2000/s", queue=2000, **limits), AsyncioPort(None)  # type: ignore[arg-type]  # it sends nothing
        served: list[int] = []

        async def one(number: int) -> None:
            permit = await acquire(limiter, port, port.now() + 30)
            try:
                served.append(number)
                await asyncio.sleep(0)
            finally:
                permit.give_back()

        tasks = [asyncio.create_task(one(number)) for number in range(1000)]
        for place in range(0, 1000, 2):
            if place % 50 == 0:
                await asyncio.sleep(0)
            tasks[place].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert served == sorted(served)
        assert set(range(1, 1000, 2)) <= set(served)
        assert (limiter.in_use, limiter.waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(storm(), 20))
