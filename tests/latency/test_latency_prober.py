"""The prober against real regions, on a loop of its own."""

from __future__ import annotations

import asyncio
import random
import time
from typing import TYPE_CHECKING

import pytest

from router.balance.pool import EndpointPool
from router.config.settings import Failover, Probe, TlsSettings
from router.endpoint import Endpoint
from router.geo.prior import prior
from router.latency.prober import Prober, probe_once
from router.testing import Regions
from router.tls import TlsContext

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

SETTINGS = Probe(timeout=5.0)


def pool_of(endpoints: Iterable[Endpoint]) -> EndpointPool:
    known = {endpoint.name: (endpoint, prior(None, None)) for endpoint in endpoints}
    return EndpointPool(known, Failover(), chance=random.Random(1), busy=lambda: 0.0)


def health(pool: EndpointPool, name: str) -> tuple[str, str | None]:
    ranked = next(r for r in pool.ranking(time.monotonic()) if r.name == name)
    return ranked.health, ranked.trouble


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():  # noqa: ASYNC110 - it looks at another's state
            await asyncio.sleep(0.01)


def prober_of(pool: EndpointPool, tls: TlsSettings | None = None) -> Prober:
    context = TlsContext(tls or TlsSettings())
    return Prober(pool, SETTINGS, tls=context, chance=random.Random(1))


def test_regions_are_measured_lost_and_found_again(regions: Regions) -> None:
    pool = pool_of(regions.endpoints())

    async def watch() -> None:
        running = asyncio.create_task(prober_of(pool).run())
        views = pool.probe_views
        await until(lambda: all(v.samples >= 3 for v in views(time.monotonic()).values()))
        assert [r.name for r in pool.ranking(time.monotonic())] == ["near", "middle", "far"]
        pool.update(  # so that it is due soon: it has samples no more
            {e.name: (e, prior(None, None)) for e in _renamed(regions)}, Failover()
        )
        regions["near"].kill()
        await until(lambda: health(pool, "near-again") != ("healthy", None))
        assert health(pool, "near-again") == ("healthy", "connection refused")
        regions["near"].revive()
        await until(lambda: health(pool, "near-again") == ("healthy", None))
        running.cancel()

    asyncio.run(watch())


def _renamed(regions: Regions) -> list[Endpoint]:
    return [Endpoint(name=f"{e.name}-again", url=e.url) for e in regions.endpoints()]


def test_an_unreadable_tls_file_is_a_failed_probe_not_the_end_of_probing(tmp_path: Path) -> None:
    pool = pool_of([Endpoint(name="one", url="https://192.0.2.1")])
    missing = TlsSettings(ca=tmp_path / "missing.pem")

    async def watch() -> None:
        running = asyncio.create_task(prober_of(pool, missing).run())
        await until(lambda: pool.probe_views(time.monotonic())["one"].down)
        running.cancel()

    asyncio.run(watch())
    _, trouble = health(pool, "one")
    assert trouble is not None
    assert trouble.startswith("tls.ca: ")


@pytest.mark.parametrize("alive", [True, False])
def test_one_probe_tells_the_pool_and_whoever_asked(*, alive: bool) -> None:
    with Regions(one=0.0) as regions:
        pool = pool_of(regions.endpoints())
        if not alive:
            regions["one"].kill()
        tls = TlsContext(TlsSettings())
        assert asyncio.run(probe_once(pool, regions.endpoints()[0], SETTINGS, tls=tls)) is alive
    assert pool.probe_views(time.monotonic())["one"].samples == alive
    assert health(pool, "one") == ("healthy", None if alive else "connection refused")
