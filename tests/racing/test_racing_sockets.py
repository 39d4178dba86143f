"""Races over real sockets, by all four clients: who wins, and that the loser is gone at once."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from four_clients import KINDS, Asker, late_after, quiet_config, timed

import router
from router.testing import Received, Regions, Reply
from router.testing.faults import Delay, Drip, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

LATE = 0.05
SLOW = 1.5
BUSY = 1.2
"""Seconds that a busy machine may take for what takes none."""
LIMITS = router.Limits(concurrency=100)
WORD: contextvars.ContextVar[str] = contextvars.ContextVar("WORD", default="none")


@pytest.fixture
def two() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        yield regions


def ready(kind: str, regions: Regions, **sections: Any) -> Asker:
    """Return a client that goes to the first region first."""
    asker = Asker(kind, quiet_config(regions, limits=LIMITS, **sections))
    for _ in range(3):
        for name in ("a", "b"):
            asker.get(extensions={"router": router.Options(regions=name, hedge=False)})
    late_after(asker, LATE)
    state = asker.router.pool._roster.states
    for name, rtt in (("a", 0.001), ("b", 0.5)):
        asker.router.pool.probed(name, connect=rtt, warm=rtt, now=time.monotonic())
        assert state[name].in_flight == 0
    return asker


def first_of(asker: Asker) -> tuple[str, str]:
    """Return who is asked first, and the other one."""
    first = asker.router.explain().chosen.row.name
    return first, {"a": "b", "b": "a"}[first]


def story(response: Any) -> list[tuple[str, bool]]:
    return [(a.endpoint, a.hedge) for a in response.extensions["router"].attempts]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fault", [Delay(SLOW), Silent()])
def test_where_the_first_is_late_the_second_wins_and_the_first_is_gone_at_once(
    kind: str, fault: Any, two: Regions, *, at_once: bool
) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].fault = fault
        with timed(LATE, BUSY):
            response = asker.get() if at_once else streamed(asker)
        assert response.extensions["router"].endpoint == second
        assert asker.settle() < BUSY
        assert response.status_code == 200


def streamed(asker: Asker) -> Any:
    """Return a response whose body was streamed."""
    client = asker.client
    request = client.build_request("GET", "/")
    response = asker.run(client.send(request, stream=True))
    asker.run(response.aread() if asker.suspends else response.read())
    return response


@pytest.mark.parametrize("kind", KINDS)
def test_where_the_second_is_slower_the_first_wins_and_the_second_is_gone_at_once(
    kind: str, two: Regions
) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].latency = 0.2
        two[second].fault = Silent()
        with timed(0.2, BUSY + 0.2):
            response = asker.get()
        assert response.extensions["router"].endpoint == first
        assert story(response) == [(first, False), (second, True)]
        assert response.extensions["router"].attempts[1].verdict == "outrun"
        assert two[second].requests == 4, "it was asked too"
        assert asker.settle() < BUSY


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_bad_one_does_not_win_while_another_runs(kind: str, two: Regions) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].latency = 0.3
        two[second].status = 503
        with timed(0.3, BUSY + 0.3):
            response = asker.get()
        assert (response.status_code, response.extensions["router"].endpoint) == (200, first)
        assert story(response) == [(first, False), (second, True)]
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_both_are_bad_and_the_last_answer_is_the_callers(kind: str, two: Regions) -> None:
    failover = router.Failover(hedge=router.Hedge(at_most=1.0), attempts=2)
    with ready(kind, two, failover=failover) as asker:
        first, second = first_of(asker)
        two[first].latency, two[first].status = 0.15, 500
        two[second].latency, two[second].status = 0.2, 503
        response = asker.get()
        assert response.status_code in {500, 503}
        assert len(response.extensions["router"].attempts) == 2
        asker.settle()


def broken(_: Received) -> Reply:
    return Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


@pytest.mark.parametrize("kind", KINDS)
def test_a_body_that_breaks_off_does_not_win(kind: str, two: Regions) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].latency, two[first].respond = 0.15, broken
        two[second].latency = 0.25
        response = asker.get()
        assert response.extensions["router"].endpoint == second
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_in_time_is_not_late_however_long_its_body_is(kind: str, two: Regions) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].respond = lambda _: Reply(body=b"x" * 20)
        two[first].fault = Drip(0.01, in_body=True)
        asked = two[second].requests
        with timed(0.15, BUSY + 0.2):
            response = asker.get()
        assert response.content == b"x" * 20
        assert two[second].requests == asked


@pytest.mark.parametrize("kind", KINDS)
def test_ties_leave_nothing_behind(kind: str, two: Regions) -> None:
    with ready(kind, two) as asker:
        chance = random.Random(4)
        for _ in range(25):
            first, second = first_of(asker)
            two[first].latency = LATE + 0.03
            two[second].latency = max(0.0, 0.03 + chance.uniform(-0.003, 0.003))
            assert asker.get().status_code == 200
        asker.settle()
        two[first].latency = two[second].latency = 0.0
        assert [asker.get().status_code for _ in range(10)] == [200] * 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_has_the_context_of_its_caller(kind: str, two: Regions) -> None:
    words: list[str] = []

    def sign(_: router.Signing) -> list[tuple[str, str]]:
        words.append(WORD.get())
        return []

    sections = {"clock": router.ClockSettings(servers=())}
    config = quiet_config(two, limits=LIMITS, **sections)
    with router.Router(config, signer=sign) as made, Asker(kind, made) as asker:  # type: ignore[arg-type]
        late_after(asker, LATE)
        first, _ = first_of(asker)
        two[first].fault = Delay(SLOW)
        context = contextvars.copy_context()
        context.run(WORD.set, "planted")
        assert context.run(asker.get).status_code == 200
    assert words == ["planted", "planted"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signer_that_fails_in_the_second_leaves_the_first_to_answer(
    kind: str, two: Regions
) -> None:
    refuse: list[str] = []

    def sign(signing: router.Signing) -> list[tuple[str, str]]:
        if signing.endpoint in refuse:
            raise ZeroDivisionError
        return []

    with (
        router.Router(quiet_config(two, limits=LIMITS), signer=sign) as made,
        Asker(kind, made) as asker,  # type: ignore[arg-type]
    ):
        late_after(asker, LATE)
        first, second = first_of(asker)
        two[first].latency = 0.2
        refuse.append(second)
        assert asker.get().extensions["router"].endpoint == first
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_of_one_admits_no_second(kind: str, two: Regions) -> None:
    with Asker(kind, quiet_config(two, limits=router.Limits(concurrency=1))) as asker:
        late_after(asker, LATE)
        first, _ = first_of(asker)
        two[first].latency = 0.2
        assert asker.get().extensions["router"].endpoint == first
        assert len(two.received) == 1
        assert asker.router.limiter.waiting == 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_post_without_a_key_is_executed_once_and_one_with_a_key_may_race(
    kind: str, two: Regions
) -> None:
    with ready(kind, two) as asker:
        first, second = first_of(asker)
        two[first].latency = 0.2
        asker.request("POST", content=b"plain")
        first, second = first_of(asker)
        two[first].latency, two[second].latency = 0.2, 0.0
        keyed: dict[str, Any] = {"extensions": {"router": router.Options(idempotency_key="k1")}}
        answer = asker.request("POST", content=b"keyed", **keyed)
        assert answer.extensions["router"].endpoint == second
        asker.settle()
    time.sleep(0.25)
    bodies = [(r.region, r.body) for r in two.received if r.method == "POST"]
    assert [body for _, body in bodies].count(b"plain") == 1
    assert sorted(r for r, body in bodies if body == b"keyed") == ["a", "b"]


def test_no_thread_is_left_after_the_client_is_closed(two: Regions) -> None:
    with ready("httpx", two) as asker:
        first, _ = first_of(asker)
        two[first].fault = Delay(0.3)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: asker.client.get("/").status_code, range(32)))
        assert answers == [200] * 32
    until = time.monotonic() + 5
    while ours() and time.monotonic() < until:
        time.sleep(0.005)
    assert ours() == []


def ours() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name in {"router-alarm", "router-hedge"}]


@pytest.mark.parametrize("kind", [k for k in KINDS if "async" in k])
def test_a_caller_that_is_cancelled_during_a_race_ends_both(kind: str, two: Regions) -> None:
    with ready(kind, two) as asker:
        two["a"].fault = two["b"].fault = Silent()

        async def cancelled() -> None:
            async with asyncio.timeout(0.2):
                await asker.client.get("/")

        with pytest.raises(TimeoutError):
            asker.run(cancelled())
        assert asker.settle() < BUSY
        two["a"].fault = two["b"].fault = None
        assert asker.get().status_code == 200


@pytest.mark.parametrize("kind", [k for k in KINDS if "async" in k])
@pytest.mark.untraced
def test_callers_that_are_cancelled_at_random_leave_nothing_behind(kind: str, two: Regions) -> None:
    chance = random.Random(35)
    two["a"].respond = two["b"].respond = lambda _: Reply(body=b"x" * 5000)

    async def one(client: Any, after: float) -> bool:
        try:
            async with asyncio.timeout(after):
                answer = await client.get("/")
        except TimeoutError:
            return True
        assert answer.content == b"x" * 5000
        return False

    async def many(client: Any) -> list[bool]:
        waits = [chance.uniform(0.0, 0.4) for _ in range(60)]
        return await asyncio.gather(*(one(client, wait) for wait in waits))

    with ready(kind, two) as asker:
        late_after(asker, 0.01)
        two["a"].latency = two["b"].latency = 0.03
        for region in two:
            region.fault = Drip(0.01, size=2000, in_body=True)
        cut = [one for _ in range(4) for one in asker.run(many(asker.client))]
        assert sum(cut) > 10, "some were cancelled"
        assert asker.settle() < 5
        two["a"].fault = two["b"].fault = None
        assert [asker.get().status_code for _ in range(20)] == [200] * 20
        assert asker.router.limiter.waiting == 0


@pytest.mark.parametrize("family", ["httpx", "httpx2"])
@pytest.mark.untraced
def test_threads_that_race_at_random_leave_nothing_behind(family: str, two: Regions) -> None:
    chance = random.Random(3)

    def respond(_: Received) -> Reply:
        return Reply(status=chance.choice([200, 200, 200, 503]), body=b"y" * 100)

    two["a"].respond = two["b"].respond = respond
    quick = router.Backoff(base=0.01)
    failover = router.Failover(hedge=router.Hedge(at_most=1.0), backoff=quick)
    with ready(family, two, failover=failover) as asker:
        late_after(asker, 0.01)
        two["a"].latency, two["b"].latency = 0.012, 0.004
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: asker.client.get("/").status_code, range(400)))
        assert set(answers) <= {200, 503}
        assert answers.count(200) > 300
        asker.settle()
        assert ours().count("router-hedge") == 0


def test_it_is_httpx_that_is_raised_where_both_fail(two: Regions) -> None:
    with ready("httpx", two, failover=router.Failover(attempts=2, hedge=router.Hedge())) as asker:
        two["a"].fault = two["b"].fault = Silent()
        options = router.Options(deadline=0.4)
        with pytest.raises(httpx.TransportError) as caught:
            asker.get(extensions={"router": options})
        assert isinstance(caught.value, router.RouterError)
        asker.settle()


def test_a_stream_that_is_forgotten_gives_back_what_it_held(two: Regions) -> None:
    two["a"].respond = two["b"].respond = lambda _: Reply(body=b"x" * 100)
    with ready("httpx2", two) as asker:
        gc.disable()  # an httpx response holds itself, one of httpx2 does not
        try:
            forgotten = asker.client.send(asker.client.build_request("GET", "/"), stream=True)
            assert sum(asker.router.pool.in_flight().values()) == 1
            del forgotten
            assert asker.router.limiter.in_use == 0
            assert sum(asker.router.pool.in_flight().values()) == 0
        finally:
            gc.enable()
