"""F39 and F43: many threads while the configuration reloads; many routers that start together."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from raw_server import RawServer

import router
from router.testing import Regions, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Crowd", "Start", "crowd", "started_together"]

LIMIT = 16
RELOAD_EVERY = 0.05
WINDOW = 0.1


class Crowd(NamedTuple):
    """What came of a crowd's requests.

    Attributes:
        statuses: of the answers, and how many of each; errors by the name of their class.
        received: requests that the regions got.
        most_at_once: of these at any moment, over all regions.
        tokens: token requests.
        reloads: how often the configuration changed meanwhile.
        left: permits and attempts still out in the end.
    """

    statuses: dict[int | str, int]
    received: int
    most_at_once: int
    tokens: int
    reloads: int
    left: int


def crowd(*, threads: int, each: int) -> Crowd:
    """Send `each` requests from so many threads while an endpoint comes and goes."""
    with Regions(None, a=0.001, b=0.001, c=0.001) as regions, TokenServer() as tokens:
        config = regions.config(token=tokens.settings(), limits=router.Limits(concurrency=LIMIT))
        seen: Counter[int | str] = Counter()
        with router.Client(config) as client, ThreadPoolExecutor(threads) as crew:
            with _reloading(client.router, config) as reloads:
                for some in crew.map(lambda _: _statuses(client, each), range(threads)):
                    seen.update(some)
            left = client.router.limiter.in_use + sum(client.router.pool.in_flight().values())
        received = len(regions.received)
        return Crowd(
            dict(seen), received, regions.most_at_once, tokens.requests, len(reloads), left
        )


def _statuses(client: router.Client, count: int) -> Counter[int | str]:
    seen: Counter[int | str] = Counter()
    for _ in range(count):
        try:
            seen[client.get("/").status_code] += 1
        except Exception as error:  # noqa: BLE001 - whatever it is, it is counted
            seen[type(error).__name__] += 1
    return seen


@contextlib.contextmanager
def _reloading(it: router.Router, config: router.Config) -> Iterator[list[float]]:
    """Reload every 50 ms: one endpoint less, then all of them with other tags."""
    done, reloads = threading.Event(), list[float]()

    def reload() -> None:
        while not done.wait(RELOAD_EVERY):
            tags = (f"t{len(reloads)}",)
            endpoints = tuple(replace(endpoint, tags=tags) for endpoint in config.endpoints)
            it.reload(replace(config, endpoints=endpoints[: 2 + len(reloads) % 2]))
            reloads.append(time.monotonic())

    reloader = threading.Thread(target=reload)
    reloader.start()
    try:
        yield reloads
    finally:
        done.set()
        reloader.join()


class Start(NamedTuple):
    """What the regions saw of routers that started together.

    Attributes:
        probes: requests of probes in all.
        peak: in the fullest 100 ms.
        mean: per 100 ms, over the run.
        authorised: how many carried an Authorization header.
        slowest: seconds until the last router knew all its endpoints.
    """

    probes: int
    peak: int
    mean: float
    authorised: int
    slowest: float


def started_together(count: int, *, seconds: float) -> Start:
    """Start so many routers at once and count probes for `seconds`."""
    with contextlib.ExitStack() as end:
        servers = [end.enter_context(RawServer()) for _ in range(3)]
        config = router.Config(endpoints=tuple(router.Endpoint(url=s.url) for s in servers))
        routers = [end.enter_context(contextlib.closing(_made(config))) for _ in range(count)]
        with ThreadPoolExecutor(count) as crew:
            began = time.monotonic()
            took = list(crew.map(lambda it: _measured(it, began), routers))
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    requests = [r for server in servers for r in server.requests if r.at <= began + seconds]
    came = sorted(request.at for request in requests)
    peak = max(sum(at <= other < at + WINDOW for other in came) for at in came)
    mean = len(came) * WINDOW / (came[-1] - came[0])
    authorised = sum(b"authorization" in request.head.lower() for request in requests)
    return Start(len(came), peak, mean, authorised, max(took))


def _made(config: router.Config) -> router.Router:
    token = router.TokenSettings(
        url="http://127.0.0.1:9/token", client_id="demo", client_secret=router.Secret("demo")
    )
    return router.Router(replace(config, token=token))


def _measured(it: router.Router, began: float) -> float:
    assert it.wait_until_measured(10.0)
    return time.monotonic() - began
