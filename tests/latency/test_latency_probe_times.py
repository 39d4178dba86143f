"""The time that probes bring: an answer's Date with the instants around it, and aim at a second."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from typing import TYPE_CHECKING, Any

import pytest

from router.balance.pool import EndpointPool
from router.clock.dates import Dates, date_of
from router.clock.host import boottime
from router.config.settings import Failover, Probe, TlsSettings
from router.endpoint import Endpoint
from router.geo.prior import prior
from router.latency.probe import Measured, ProbeError, measure
from router.latency.prober import Prober, probe_all, probe_once
from router.testing import Received, Regions, Reply
from router.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENT = Probe(timeout=10.0)
FIRST, SECOND = b"Mon, 27 Jul 2026 12:29:37 GMT", b"Mon, 27 Jul 2026 12:29:38 GMT"
UNIX = 1_785_155_377.0
TLS = TlsContext(TlsSettings())


def answer(*lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: 0", *lines, b"", b""])


def probe_of(
    *answers: bytes, probe: Probe = PATIENT, aim: Callable[[float], float] | None = None
) -> Measured:
    """Probe a server that gives these answers on a connection, and then no more."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            for words in answers:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(words)
            await reader.read()
        writer.transport.abort()

    async def run() -> Measured:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server:
            return await measure(Endpoint(url=f"http://127.0.0.1:{port}"), probe, tls=None, aim=aim)

    return asyncio.run(run())


def pool_of(regions: Regions) -> EndpointPool:
    known = {endpoint.name: (endpoint, prior(None, None)) for endpoint in regions.endpoints()}
    return EndpointPool(known, Failover(), chance=random.Random(1), busy=lambda: 0.0)


class Ledger:
    """Times that learns from Dates, and aims if it is told to."""

    def __init__(self, *, aims: bool = False) -> None:
        self.dates = Dates()
        self.told: list[str] = []
        self.aims = aims

    def dated(self, name: str, date: float, *, asked: float, received: float) -> None:
        assert asked < received
        self.told.append(name)
        self.dates.hear(name, date, asked=asked, received=received)

    def aim(self, name: str) -> Callable[[float], float] | None:
        if not self.aims:
            return None
        return lambda travel: self.dates.aim(name, now=boottime(), travel=travel)

    def offset(self, name: str) -> tuple[float, float]:
        """Return how far an endpoint's clock is ahead of this host's, at least and at most."""
        truth = time.time() - boottime()
        interval = self.dates.interval(name, boottime())
        assert interval is not None
        return interval[0] - truth, interval[1] - truth


# -- the Date


@pytest.mark.parametrize(
    ("answers", "date"),
    [
        ([answer(), answer()], None),
        ([answer(b"Date: " + FIRST), answer(b"Date: " + SECOND)], UNIX + 1),
        ([answer(b"Date: " + FIRST), answer()], UNIX),
        ([answer(b"Date: " + FIRST), answer(b"Date: " + SECOND, b"Age: 1")], UNIX),
        ([answer(b"Date: " + FIRST), b"\x00garbage\r\n\r\n"], UNIX),
        ([answer(b"Date: " + FIRST, b"Connection: close")], UNIX),
        ([answer(b"Date: yesterday"), answer()], None),
    ],
)
def test_the_date_is_that_of_the_last_answer_that_has_one(
    answers: list[bytes], date: float | None
) -> None:
    assert probe_of(*answers).date == date


def test_the_instants_are_those_around_the_answer_that_has_the_date() -> None:
    between: list[float] = []
    travels: list[float] = []

    def aim(travel: float) -> float:
        between.append(boottime())
        travels.append(travel)
        return 0.0

    began = boottime()
    cold = probe_of(answer(b"Date: " + FIRST), answer(), aim=aim)
    assert began <= cold.asked <= cold.heard <= between[0]
    assert 0 < travels[0] <= (cold.heard - cold.asked) / 2
    warm = probe_of(answer(b"Date: " + FIRST), answer(b"Date: " + SECOND), aim=aim)
    assert between[1] <= warm.asked <= warm.heard <= boottime()
    assert warm.warm <= warm.heard - warm.asked


@pytest.mark.parametrize("ahead", [0.0, 5.0, -3600.0])
def test_a_region_with_a_clock_tells_it_to_requests_and_probes(ahead: float) -> None:
    with Regions(one=0.0) as regions:
        pool, ledger = pool_of(regions), Ledger()
        regions["one"].clock = ahead
        assert asyncio.run(probe_once(pool, regions.endpoints()[0], PATIENT, tls=TLS, times=ledger))
    low, high = ledger.offset("one")
    assert low <= ahead <= high


def test_a_region_without_a_clock_sends_no_date_and_a_reply_may_bring_its_own() -> None:
    def own(_: Received) -> Reply:
        return Reply(headers={"date": FIRST.decode()})

    async def headers(port: int) -> list[tuple[bytes, bytes]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        pairs = (line.partition(b": ") for line in head.strip().split(b"\r\n")[1:])
        return [(name, value) for name, _, value in pairs]

    with Regions(one=0.0) as regions:
        region, ledger = regions["one"], Ledger()
        assert asyncio.run(
            probe_once(pool_of(regions), regions.endpoints()[0], PATIENT, tls=TLS, times=ledger)
        )
        assert ledger.told == []
        assert date_of(asyncio.run(headers(region.port))) is None
        region.respond, region.clock = own, 5.0
        assert date_of(asyncio.run(headers(region.port))) == UNIX


# -- aim


def test_the_second_request_waits_as_long_as_aim_says_and_is_timed_without() -> None:
    called: list[tuple[float, float]] = []

    def aim(travel: float) -> float:
        called.append((travel, boottime()))
        return 0.3

    with Regions(one=0.040) as regions:
        measured = asyncio.run(measure(regions.endpoints()[0], PATIENT, tls=None, aim=aim))
        assert regions["one"].probes == 2
    ((travel, at),) = called
    assert travel >= 0.020, "half of a round trip"
    assert measured.date is None
    assert measured.warm >= 0.040
    assert boottime() - at >= 0.3 + measured.warm, "the wait is not in the figure"


def test_no_server_keeps_a_probe_waiting_for_longer_than_a_second() -> None:
    called: list[float] = []

    def aim(_: float) -> float:
        called.append(boottime())
        return 60.0

    measured = probe_of(answer(), answer(b"Date: " + FIRST), aim=aim)
    assert 1.0 <= measured.asked - called[0] < 30


def test_the_timeout_is_longer_by_the_wait_and_by_no_more() -> None:
    hasty = Probe(timeout=0.5)
    dated = answer(b"Date: " + FIRST)
    assert probe_of(dated, dated, probe=hasty, aim=lambda _: 0.8).status == 200
    began = boottime()
    with pytest.raises(ProbeError, match=r"^the probe took over 0\.5 s$"):
        probe_of(dated, probe=hasty, aim=lambda _: 0.2)
    assert boottime() - began >= 0.7


def test_a_connection_that_ends_after_one_answer_is_not_aimed() -> None:
    called: list[float] = []

    def aim(travel: float) -> float:
        called.append(travel)
        return 0.0

    assert probe_of(answer(b"Connection: close"), aim=aim).status == 200
    assert called == []


def test_aimed_probes_find_the_second() -> None:
    with Regions(one=0.0) as regions:
        regions["one"].clock = 2.5
        pool, ledger = pool_of(regions), Ledger(aims=True)

        async def probe() -> None:
            for _ in range(7):
                await probe_once(pool, regions.endpoints()[0], PATIENT, tls=TLS, times=ledger)

        asyncio.run(probe())
    low, high = ledger.offset("one")
    assert low <= 2.5 <= high
    assert high - low < 0.25, "seven at once would leave most of a second"


# -- who is told


def test_the_prober_and_its_rounds_tell_the_times() -> None:
    with Regions(one=0.0, two=0.0) as regions:
        regions["one"].clock, regions["two"].clock = 5.0, -5.0
        pool, ledger, rounds = pool_of(regions), Ledger(), Ledger()
        prober = Prober(pool, PATIENT, tls=TLS, chance=random.Random(1), times=ledger)

        async def watch() -> None:
            running: asyncio.Task[Any] = asyncio.create_task(prober.run())
            async with asyncio.timeout(15):
                while {"one", "two"} - set(ledger.told):  # noqa: ASYNC110 - another's state
                    await asyncio.sleep(0.01)
            running.cancel()
            await probe_all(pool, PATIENT, tls=TLS, count=2, told=lambda *_: None, times=rounds)

        asyncio.run(watch())
    assert sorted(rounds.told) == ["one", "one", "two", "two"]
    for book in (ledger, rounds):
        for name, ahead in (("one", 5.0), ("two", -5.0)):
            low, high = book.offset(name)
            assert low <= ahead <= high
