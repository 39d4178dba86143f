"""The clock from a configuration to the header, over real sockets: regions whose clocks are off."""

from __future__ import annotations

import asyncio
import gzip
import time
from dataclasses import replace
from typing import Any

import pytest

import router
from router.clock.host import THIS_HOST
from router.testing import NtpServer, Received, Regions, Reply

CLIENTS: dict[str, Any] = {
    "httpx sync": router.Client,
    "httpx async": router.AsyncClient,
    "httpx2 sync": router.httpx2.Client,
    "httpx2 async": router.httpx2.AsyncClient,
}
QUIET = router.Probe(enabled=False)


def post(client_class: Any, shared: router.Router, count: int = 1) -> list[Any]:
    if "Async" not in client_class.__name__:
        with client_class(shared) as client:
            return [client.post("/order", content=b"one") for _ in range(count)]

    async def main() -> list[Any]:
        async with client_class(shared) as client:
            return [await client.post("/order", content=b"one") for _ in range(count)]

    return asyncio.run(main())


def off(request: Received) -> float:
    """Return by how many seconds a request's stamp is ahead of true time at its arrival."""
    return int(request.headers["x-timestamp"]) / 1000 - request.at


def refusing(regions: Regions, name: str, *, packed: bool, long: bool) -> None:
    """Let a region refuse a time that is more than a second ahead of its own."""
    region = regions[name]
    body = b'{"code":-1021,"msg":"ahead of the server\'s time"}' + b" " * (100_000 * long)

    def respond(request: Received) -> Reply:
        here = time.time() + (region.clock or 0.0)
        if int(request.headers["x-timestamp"]) / 1000 - here <= 1.0:
            return Reply(body=b"taken")
        if packed:
            return Reply(400, headers={"Content-Encoding": "gzip"}, body=gzip.compress(body))
        return Reply(400, body=body)

    region.respond = respond


@pytest.mark.parametrize("kind", CLIENTS)
@pytest.mark.parametrize(("packed", "long"), [(False, False), (True, False), (False, True)])
def test_a_region_that_refuses_the_time_is_served_with_its_own(
    kind: str, *, packed: bool, long: bool
) -> None:
    with NtpServer() as ntp, Regions(slow=0.0) as regions:
        regions["slow"].clock = -9.0
        refusing(regions, "slow", packed=packed, long=long)
        clock = router.ClockSettings(servers=(ntp.address,), header="X-Timestamp")
        with router.Router(regions.config(clock=clock, probe=QUIET)) as shared:
            answers = post(CLIENTS[kind], shared, count=3)
            (ranked,) = shared.rank()
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert [len(answer.extensions["router"].attempts) for answer in answers] == [2, 1, 1]
        assert [request.body for request in regions.received] == [b"one"] * 4
        assert off(regions.received[0]) == pytest.approx(0.0, abs=0.5)
        assert off(regions.received[-1]) == pytest.approx(-9.0, abs=1.0)
    assert "s behind" in ranked.reason


@pytest.mark.parametrize("kind", CLIENTS)
def test_an_answer_that_only_looks_like_a_refusal_arrives_whole(kind: str) -> None:
    body = b"x" * 300_000
    with Regions(only=0.0) as regions:
        regions["only"].respond = lambda _: Reply(403, body=body)
        clock = router.ClockSettings(servers=(), header="X-Timestamp")
        with router.Router(regions.config(clock=clock, probe=QUIET)) as shared:
            (answer,) = post(CLIENTS[kind], shared)
    assert (answer.status_code, answer.content) == (403, body)


@pytest.mark.parametrize("kind", CLIENTS)
def test_an_answer_that_drips_is_looked_at_for_a_moment_only(kind: str) -> None:
    drops = tuple(b"x" for _ in range(12))
    with Regions(only=0.0) as regions:
        regions["only"].respond = lambda _: Reply(403, chunks=drops, pause=0.1)
        clock = router.ClockSettings(servers=(), header="X-Timestamp")
        with router.Router(regions.config(clock=clock, probe=QUIET)) as shared:
            (answer,) = post(CLIENTS[kind], shared)
    (attempt,) = answer.extensions["router"].attempts
    assert attempt.elapsed < 1.0  # the whole body takes 1.2 s
    assert answer.content == b"x" * 12


def test_stamp_server_stamps_with_the_clock_of_the_region_that_will_judge_it() -> None:
    with NtpServer() as ntp, Regions(fast=0.0) as regions:
        regions["fast"].clock = 5.0
        clock = router.ClockSettings(servers=(ntp.address,), header="X-Timestamp", stamp="server")
        probe = router.Probe(every="1s")  # type: ignore[arg-type]
        with router.Router(regions.config(clock=clock, probe=probe)) as shared:
            shared.wait_until_measured()
            (answer,) = post(router.Client, shared)
        (request,) = regions.received
    assert off(request) == pytest.approx(5.0, abs=0.7)
    assert "the endpoint's own clock" in answer.extensions["router"].explain()


def test_with_udp_blocked_the_regions_dates_keep_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    no_daemon = replace(THIS_HOST, kernel=lambda: None)
    monkeypatch.setattr("router.timekeeping.THIS_HOST", no_daemon)

    def swallow(*_: object) -> tuple[bytes, ...]:
        return ()

    with NtpServer(script=swallow) as silent, Regions(a=0.0, b=0.0, c=0.0) as regions:
        for region in regions:
            region.clock = 3600.0  # this host is an hour slow, then
        clock = router.ClockSettings(servers=(silent.address,), header="X-Timestamp")
        with router.Router(regions.config(clock=clock, probe=QUIET)) as shared:
            answers = post(router.Client, shared, count=3)
            for _ in range(4):
                time.sleep(0.25)  # other fractions of a second
                answers += post(router.Client, shared)
            stamp = shared.clock.now()
            snapshot = shared.snapshot()["clock"]
        assert [answer.status_code for answer in answers] == [200] * len(answers)
    assert (stamp.source, snapshot["source"]) == ("http", "http")
    assert abs(stamp.ns / 1e9 - time.time() - 3600) <= stamp.bound_ns / 1e9 + 1.0
    assert off(regions.received[-1]) == pytest.approx(3600, abs=1.0)


def test_a_region_whose_clock_is_off_is_flagged_in_rank_and_in_explain() -> None:
    with NtpServer() as ntp, Regions(right=0.0, ahead=0.0) as regions:
        regions["right"].clock, regions["ahead"].clock = 0.0, 30.0
        clock = router.ClockSettings(servers=(ntp.address,), header="X-Timestamp")
        with router.Router(regions.config(clock=clock)) as shared, router.Client(shared) as client:
            shared.wait_until_measured()
            answer = client.get("/")
            until = time.monotonic() + 10
            while not any(r.skew for r in shared.rank()) and time.monotonic() < until:
                time.sleep(0.05)
            rows = {ranked.name: ranked for ranked in shared.rank()}
            answer = client.get("/")
            flagged = shared.snapshot()["endpoints"]
    assert rows["right"].skew is None
    assert rows["ahead"].skew == pytest.approx(30.0, abs=1.0)
    assert "its clock is 30." in rows["ahead"].reason or "its clock is 29." in rows["ahead"].reason
    explained = answer.extensions["router"].explain()
    assert "its clock is 30." in explained or "its clock is 29." in explained
    assert {row["name"]: row["skew_s"] is not None for row in flagged} == {
        "right": False,
        "ahead": True,
    }
