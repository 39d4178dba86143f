"""The runner-up's connection stands before it is needed, and so does its token."""

from __future__ import annotations

import asyncio
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from four_clients import KINDS, Asker

import router
from router.standby import LONGEST, Standby
from router.testing import Reply

if TYPE_CHECKING:
    from router.testing import Received, Regions

PATIENCE = 10.0


def pass_on(config: router.Config) -> router.Config:
    return config


def config_of(regions: Regions, *, standby: bool = True, **sections: Any) -> router.Config:
    failover = router.Failover(standby=standby, attempts=2)
    return regions.config(failover=failover, probe=router.Probe(path="/healthz"), **sections)


def look(asker: Asker) -> None:
    """Have the next request keep the runner-up ready, and see that it was."""
    asker.client._transport._standby.due = 0.0
    assert asker.get().status_code == 200


def wait_until_kept(asker: Asker) -> None:
    """Wait until what stands by has been sent and read."""
    end = time.monotonic() + PATIENCE
    while at_work(asker) and time.monotonic() < end:
        asker.run(asyncio.sleep(0.01)) if asker.suspends else time.sleep(0.01)


def at_work(asker: Asker) -> bool:
    if asker.suspends:
        return bool(asker.client._transport._standing_by)
    return any(thread.name == "router-standby" for thread in threading.enumerate())


@pytest.fixture
def two(router_regions: Any) -> Regions:
    regions: Regions = router_regions(near=0.0, far=0.03)
    return regions


@pytest.mark.parametrize("wire", ["auto", "httpx"])
@pytest.mark.parametrize("kind", KINDS)
def test_failover_goes_over_a_connection_that_stood_before(
    kind: str, wire: Any, two: Regions
) -> None:
    with Asker(kind, config_of(two, wire=wire, token=None)) as asker:
        assert asker.router.wait_until_measured(PATIENCE)
        look(asker)
        wait_until_kept(asker)
        two["far"].stop_listening()  # a new connection would be refused
        two["near"].kill()
        answer = asker.get()
        assert answer.status_code == 200
        assert answer.extensions["router"].endpoint == "far"


def test_nothing_is_kept_ready_where_it_is_off_or_there_is_nobody_else(two: Regions) -> None:
    for config in (
        config_of(two, standby=False),
        two.config(probe=router.Probe(enabled=False)),
        router.Config(endpoints=(router.Endpoint(url=two["near"].url),)),
    ):
        with Asker("httpx", config) as asker:
            assert asker.client._transport._standby.next(asker.router.now()) is None


def test_it_asks_the_next_best_what_probes_ask_and_shows_no_credentials(two: Regions) -> None:
    with Asker("httpx", config_of(two)) as asker:
        assert asker.router.wait_until_measured(PATIENCE)
        request = asker.client._transport._standby.next(asker.router.now())
    assert (request.endpoint.name, request.method, request.target) == ("far", "HEAD", b"/healthz")
    names = [name.lower() for name, _ in request.headers]
    assert names == [b"host", b"user-agent", b"accept"]


def test_looks_are_as_far_apart_as_probes_and_no_more_than_20_seconds(two: Regions) -> None:
    for every, apart in ((3.0, 3.0), (60.0, LONGEST)):
        config = two.config(probe=router.Probe(every=every))
        with router.Router(config) as shared:
            standby = Standby(partial(pass_on, config), shared.desk, empty=(), now=shared.now)
            standby.next(100.0)
            assert standby.due == 100.0 + apart


def test_a_runner_up_that_is_dead_disturbs_nobody(two: Regions) -> None:
    for kind in KINDS:
        with Asker(kind, config_of(two)) as asker:
            assert asker.router.wait_until_measured(PATIENCE)
            two["far"].kill()
            for _ in range(3):
                look(asker)
            assert asker.get().extensions["router"].endpoint == "near"
        two["far"].revive()


def test_a_client_that_is_closed_meanwhile_leaves_no_task(two: Regions) -> None:
    async def left() -> set[asyncio.Task[Any]]:
        async with router.AsyncClient(config_of(two)) as client:
            assert client.router.wait_until_measured(PATIENCE)
            two["far"].latency = 5.0
            transport: Any = client._transport
            transport._standby.due = 0.0
            await client.get("/")
            assert len(transport._standing_by) == 1
        await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(left()) == set()


def no_thread(_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_is_left_the_answer_arrives_all_the_same(two: Regions) -> None:
    with Asker("httpx", config_of(two)) as asker:
        assert asker.router.wait_until_measured(PATIENCE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            look(asker)


@pytest.mark.parametrize("kind", KINDS)
def test_a_router_that_is_closed_while_an_answer_comes_does_not_take_it(
    kind: str, two: Regions
) -> None:
    with Asker(kind, config_of(two)) as asker:
        assert asker.router.wait_until_measured(PATIENCE)

        def closing(_: Received) -> Reply:
            asker.router.close()
            return Reply(200)

        for region in two:
            region.respond = closing
        look(asker)
