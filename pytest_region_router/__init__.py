"""A pytest plugin: loopback regions that break on demand, as fixtures.

Rule 1: pytest loads this module in every run of every project that has region-router installed, so
        it imports nothing of `router` until a fixture is asked for; that is why it stands outside.
Rule 2: what a fixture starts, it ends.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from router.testing import Certificates, FakeClock, Proxy, Regions

__all__ = [
    "router_certificates",
    "router_clock",
    "router_no_backoff",
    "router_proxy",
    "router_regions",
]


@pytest.fixture
def router_regions() -> Iterator[Callable[..., Regions]]:
    """Start regions: `router_regions(near=0.005, far=0.030)`, seconds of latency by name.

    A first argument of Certificates, or an `ssl.SSLContext`, makes them speak TLS.
    """
    testing = import_module("router.testing")
    with ExitStack() as stack:

        def start(tls: Certificates | ssl.SSLContext | None = None, **latencies: float) -> Regions:
            made: Regions = stack.enter_context(testing.Regions(tls, **latencies))
            return made

        yield start


@pytest.fixture
def router_proxy() -> Iterator[Callable[[str, int], Proxy]]:
    """Start a proxy before any TCP server: `router_proxy(host, port)`."""
    testing = import_module("router.testing")
    with ExitStack() as stack:

        def start(host: str, port: int) -> Proxy:
            made: Proxy = stack.enter_context(testing.Proxy(host, port))
            return made

        yield start


@pytest.fixture(scope="session")
def router_certificates() -> Certificates:
    """Return one authority, and its certificates, for the whole session."""
    made: Certificates = import_module("router.testing").Certificates()
    return made


@pytest.fixture
def router_clock() -> FakeClock:
    """Return a clock that moves when it is told to."""
    made: FakeClock = import_module("router.testing").FakeClock()
    return made


@pytest.fixture
def router_no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no attempt wait for a backoff; what servers ask for, and limits, still hold."""
    import_module("router")
    jittered = import_module("router.failover.backoff").jittered
    for name, module in list(sys.modules.items()):
        if name.startswith("router.") and getattr(module, "jittered", None) is jittered:
            monkeypatch.setattr(module, "jittered", _no_wait)


def _no_wait(*_: object, **__: object) -> float:
    return 0.0
