"""Routers as a fleet: they probe for each other, and still notice what each of them needs."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from redis_server import redis_server
from sharing_bench import nap, until

from router.config import Config
from router.config.settings import Probe, ShareSettings
from router.endpoint import Endpoint
from router.router import Router
from router.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

ROUTERS = 8


def routers(running: ExitStack, regions: Regions, url: str) -> list[Router]:
    endpoints = tuple(
        Endpoint(name=name, url=regions[name].url) for name in ("near", "middle", "far")
    )
    share = ShareSettings(url=Secret(url))
    config = Config(endpoints=endpoints, probe=Probe(every=1.0), share=share)
    return [running.enter_context(Router(config)) for _ in range(ROUTERS)]


def test_eight_routers_probe_little_more_than_one(regions: Regions, tmp_path: Path) -> None:
    with redis_server(tmp_path / "redis") as server, ExitStack() as running:
        started = routers(running, regions, server.url)
        for router in started:
            until(lambda router=router: router.wait_until_measured(0.1))  # type: ignore[misc]
        nap(1.0)
        before = {name: regions[name].probes for name in ("near", "middle", "far")}
        nap(2.0)
        for name, count in before.items():
            assert regions[name].probes - count <= 7, name  # by themselves they make 10 to 32


def test_a_region_that_died_is_left_by_all_and_comes_back_for_all(
    regions: Regions, tmp_path: Path
) -> None:
    with redis_server(tmp_path / "redis") as server, ExitStack() as running:
        started = routers(running, regions, server.url)
        for router in started:
            until(lambda router=router: router.wait_until_measured(0.1))  # type: ignore[misc]
        regions["near"].kill()
        until(lambda: all(_out(router, "near") for router in started), 20)
        regions["near"].revive()
        assert until(lambda: not any(_out(router, "near") for router in started), 20) < 20


def _out(router: Router, name: str) -> bool:
    rows = {row.name: row.health for row in router.pool.ranking(time.monotonic())}
    return rows[name] in {"ejected", "on trial"}
