"""What all tests share."""

from __future__ import annotations

import gc
import os
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from wire_kinds import OVER_EACH_WIRE, WIRES

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from router.testing import Regions

pytest_plugins = ["pytest_region_router"]

REAL_TIME = frozenset(
    {"acceptance", "auth", "cli", "clock", "lifecycle", "net", "shared", "speed", "streams"}
    | {"testing", "transport"}
)
"""Directories whose tests live through real time on real sockets and processes."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what meets real sockets over each wire."""
    if metafunc.module.__name__ in OVER_EACH_WIRE:
        metafunc.parametrize("wire", WIRES, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what depends on real time once more if it failed: a busy machine has its luck.

    A rerun is counted in the summary. All other tests are deterministic, and have one try.
    """
    for item in items:
        if item.path.parent.name in REAL_TIME:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_collection_finish() -> None:
    """Have no collection of garbage walk again and again through all modules and tests."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Lift the tracer from a test that is `untraced`: it doubles what each line costs."""
    tracer, of_threads = sys.gettrace(), threading.gettrace()
    if tracer is None or item.get_closest_marker("untraced") is None:
        return (yield)
    sys.settrace(None)
    threading.settrace(None)
    try:
        return (yield)
    finally:
        threading.settrace(of_threads)
        sys.settrace(tracer)


def absent(peer: str) -> None:
    """Skip loudly where a peer is missing; in CI that is a failure."""
    message = f"{peer} is not installed: this test did not run"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(autouse=True)
def wire(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have `wire: auto` mean the one that a test is run over."""
    name: str = getattr(request, "param", "auto")
    if name == "httpx":
        monkeypatch.setattr("router.wires.choice.aiohttp_problem", lambda: "not in this test")
    return name


@pytest.fixture
def regions(router_regions: Callable[..., Regions]) -> Regions:
    """Three regions at 5, 30 and 80 ms."""
    return router_regions(near=0.005, middle=0.030, far=0.080)
