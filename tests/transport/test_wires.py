"""Which wire takes a request: by configuration, by endpoint, by what is installed and asked for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from wire_pools import pools_here

import router
from router.testing import Regions
from router.wires.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET = router.Probe(enabled=False)
AIOHTTP: Final = "aiohttp"
CORE: Final = "httpx"
WAYS = ("threads", "tasks")


@pytest.fixture
def pair() -> Iterator[Regions]:
    with Regions(None, a=0.0, b=0.0) as regions:
        yield regions


def kinds(client: Any) -> set[str]:
    return {AIOHTTP if isinstance(pool, Pool) else CORE for pool in pools_here(client).values()}


def used(config: router.Config, way: str, **extensions: Any) -> set[str]:
    """Send a few requests to each endpoint; return over which wires they went."""
    names = [endpoint.name for endpoint in config.endpoints] * 2
    asked = [{"router": router.Options(regions=name), **extensions} for name in names]

    async def main() -> set[str]:
        async with router.AsyncClient(config) as client:
            for each in asked:
                assert (await client.get("/", extensions=each)).status_code == 200
            return kinds(client)

    if way == "tasks":
        return asyncio.run(main())
    with router.Client(config) as client:
        for each in asked:
            assert client.get("/", extensions=each).status_code == 200
        return kinds(client)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("wire", "taken"), [("auto", AIOHTTP), (AIOHTTP, AIOHTTP), (CORE, CORE)])
def test_the_configuration_says_which(pair: Regions, wire: Any, taken: str, way: str) -> None:
    assert used(pair.config(probe=QUIET, wire=wire), way) == {taken}


@pytest.mark.parametrize("way", WAYS)
def test_an_endpoints_own_word_goes_before(pair: Regions, way: str) -> None:
    config = pair.config(probe=QUIET, wire=CORE)
    first, *others = config.endpoints
    mixed = replace(config, endpoints=(replace(first, wire=AIOHTTP), *others))
    assert used(mixed, way) == {AIOHTTP, CORE}


@pytest.mark.parametrize("way", WAYS)
def test_without_aiohttp_auto_is_the_core(
    pair: Regions, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.wires.choice.aiohttp_problem", lambda: "not there")
    assert used(pair.config(probe=QUIET), way) == {CORE}


@pytest.mark.parametrize("way", WAYS)
def test_whose_caller_traces_the_core_goes_over_it(pair: Regions, way: str) -> None:
    told: list[str] = []

    def tell(event: str, _: Any) -> None:
        told.append(event)

    async def tell_task(event: str, _: Any) -> None:
        told.append(event)

    trace = tell_task if way == "tasks" else tell
    assert used(pair.config(probe=QUIET), way, trace=trace) == {CORE}
    assert "http11.send_request_headers.started" in told


def test_aiohttp_that_is_asked_for_and_missing_is_named(
    pair: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.revision.aiohttp_problem", lambda: "aiohttp is not installed: …")
    with pytest.raises(router.ConfigError, match="wire: aiohttp is not installed"):
        router.Router(pair.config(probe=QUIET, wire=AIOHTTP))
    router.Router(pair.config(probe=QUIET)).close()


def test_http2_goes_over_the_core_alone() -> None:
    endpoint = router.Endpoint(url="https://a.test", wire=AIOHTTP)
    with pytest.raises(router.ConfigError, match="wire: aiohttp speaks HTTP"):
        router.Config(endpoints=(endpoint,), http2=True)


def test_an_unknown_wire_is_refused() -> None:
    with pytest.raises(router.ConfigError, match="wire"):
        router.Config(endpoints=("https://a.test",), wire="carrier pigeon")  # type: ignore[arg-type]
    with pytest.raises(router.ConfigError, match="wire: write one of auto, httpx, aiohttp"):
        router.Endpoint(url="https://a.test", wire="carrier pigeon")  # type: ignore[arg-type]
    with pytest.raises(router.ConfigError, match="repeat: write one of safe, rejected, always"):
        router.Endpoint(url="https://a.test", repeat="alway")  # type: ignore[arg-type]
    assert router.Endpoint(url="https://a.test").wire is None


def test_the_wire_cannot_change_while_it_serves(pair: Regions) -> None:
    config = pair.config(probe=QUIET)
    with router.Router(config) as it, pytest.raises(router.ConfigError, match="wire: changes"):
        it.reload(replace(config, wire=CORE))


@pytest.mark.parametrize(
    ("program", "loaded"),
    [
        ("router.Config", False),
        ("router.Client({})", True),
        ("router.AsyncClient({})", True),
        ("router.AsyncClient({}, timeout=1.0)", True),
    ],
)
def test_aiohttp_is_imported_by_the_client_that_uses_it(program: str, *, loaded: bool) -> None:
    config = "router.Config(endpoints=('https://a.test',), probe=router.Probe(enabled=False))"
    lines = f"import sys, router; {program.format(config)}; print('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", lines], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == str(loaded)
