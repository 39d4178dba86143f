"""The pytest plugin, in runs of pytest of its own, as in a user's project."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import router
from router.failover.backoff import jittered
from router.testing import Certificates, FakeClock, Proxy, Regions
from router.testing.faults import Reset

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(router.__file__).parent.parent

USERS_TESTS = """
import httpx
from router.testing.faults import Refuse

def test_a_region_dies(router_regions):
    regions = router_regions(near=0.0, far=0.0)
    regions["near"].fault = Refuse()
    assert httpx.get(regions["far"].url).status_code == 200

def test_tls(router_regions, router_certificates):
    regions = router_regions(router_certificates, near=0.0)
    assert regions["near"].url.startswith("https://near.test")

def test_a_proxy(router_regions, router_proxy):
    regions = router_regions(near=0.0)
    proxy = router_proxy("127.0.0.1", regions["near"].port)
    assert httpx.get(proxy.url).status_code == 200

def test_a_clock(router_clock):
    before = router_clock()
    router_clock.advance(5.0)
    assert router_clock() == before + 5.0
"""


def test_users_get_the_fixtures(tmp_path: Path) -> None:
    (tmp_path / "test_service.py").write_text(USERS_TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "pytest_region_router"]
    environ = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin"}
    ran = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert b"4 passed" in ran.stdout, ran.stdout


def test_the_plugin_imports_nothing_of_the_router_until_a_fixture_is_asked_for() -> None:
    program = "import pytest, sys; a = set(sys.modules); import pytest_region_router; "
    program += "print(*sorted(set(sys.modules) - a))"
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True, text=True
    )
    assert ran.stdout.split() == ["pytest_region_router"]


def test_the_plugin_is_registered_by_the_name_of_its_module() -> None:
    named = [e for e in entry_points(group="pytest11") if e.value == "pytest_region_router"]
    assert all(entry.name == "pytest_region_router" for entry in named)
    assert 'pytest_region_router = "pytest_region_router"' in (ROOT / "pyproject.toml").read_text()


def test_the_fixtures_are_what_they_say(
    router_regions: Callable[..., Regions],
    router_certificates: Certificates,
    router_clock: FakeClock,
) -> None:
    assert isinstance(router_regions(near=0.0), Regions)
    assert isinstance(router_certificates, Certificates)
    assert isinstance(router_clock, FakeClock)


def test_a_proxy_by_fixture_runs(router_proxy: Callable[[str, int], Proxy]) -> None:
    assert router_proxy("127.0.0.1", 1).port


def test_without_backoff_nothing_is_waited_for(
    router_no_backoff: None, router_regions: Callable[..., Regions]
) -> None:
    backoff = router.Backoff(base=60.0, cap=60.0)
    failover = router.Failover(attempts=3, attempt_timeout=1.0, deadline=20.0, backoff=backoff)
    regions = router_regions(near=0.0)
    with router.Client(regions.config(failover=failover)) as client:
        regions["near"].fault = Reset()
        with pytest.raises(router.RouterError) as caught:
            client.get("/")
    assert not isinstance(caught.value, router.DeadlineError)
    assert len(caught.value.attempts) > 1


def test_the_backoff_is_back_afterwards() -> None:
    modules = [module for name, module in sys.modules.items() if name.startswith("router.")]
    assert all(getattr(module, "jittered", jittered) is jittered for module in modules)
    assert jittered.__module__ == "router.failover.backoff"
