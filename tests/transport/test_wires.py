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


@pytest.fixture
def pair() -> Iterator[Regions]:
    with Regions(None, a=0.0, b=0.0) as regions:
        yield regions


def used(config: router.Config, **extensions: Any) -> set[str]:
    """Send a few requests to each endpoint; return over which wires they went."""

    async def main() -> set[str]:
        async with router.AsyncClient(config) as client:
            for name in [endpoint.name for endpoint in config.endpoints] * 2:
                options = router.Options(regions=name)
                answer = await client.get("/", extensions={"router": options, **extensions})
                assert answer.status_code == 200
            pools = pools_here(client).values()
            return {AIOHTTP if isinstance(pool, Pool) else CORE for pool in pools}

    return asyncio.run(main())


@pytest.mark.parametrize(("wire", "taken"), [("auto", AIOHTTP), (AIOHTTP, AIOHTTP), (CORE, CORE)])
def test_the_configuration_says_which(pair: Regions, wire: Any, taken: str) -> None:
    assert used(pair.config(probe=QUIET, wire=wire)) == {taken}


def test_an_endpoints_own_word_goes_before(pair: Regions) -> None:
    config = pair.config(probe=QUIET, wire=CORE)
    first, *others = config.endpoints
    mixed = replace(config, endpoints=(replace(first, wire=AIOHTTP), *others))
    assert used(mixed) == {AIOHTTP, CORE}


def test_without_aiohttp_auto_is_the_core(pair: Regions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("router.wires.choice.aiohttp_problem", lambda: "not there")
    assert used(pair.config(probe=QUIET)) == {CORE}


def test_whose_caller_traces_the_core_goes_over_it(pair: Regions) -> None:
    told: list[str] = []

    async def trace(event: str, _: Any) -> None:
        told.append(event)

    assert used(pair.config(probe=QUIET), trace=trace) == {CORE}
    assert "http11.send_request_headers.started" in told


def test_aiohttp_that_is_asked_for_and_missing_is_named(
    pair: Regions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.revision.aiohttp_problem", lambda: "aiohttp is not installed: …")
    with pytest.raises(router.ConfigError, match="wire: aiohttp is not installed"):
        router.Router(pair.config(probe=QUIET, wire=AIOHTTP))
    router.Router(pair.config(probe=QUIET)).close()


def test_threads_have_no_aiohttp(pair: Regions) -> None:
    with pytest.raises(router.ConfigError, match="wire: aiohttp is for asynchronous clients"):
        router.Client(pair.config(probe=QUIET, wire=AIOHTTP))


def test_nor_has_http2() -> None:
    endpoint = router.Endpoint(url="https://a.test", wire=AIOHTTP)
    with pytest.raises(router.ConfigError, match="wire: aiohttp speaks HTTP"):
        router.Config(endpoints=(endpoint,), http2=True)


def test_an_unknown_wire_is_refused() -> None:
    with pytest.raises(router.ConfigError, match="wire"):
        router.Config(endpoints=("https://a.test",), wire="carrier pigeon")  # type: ignore[arg-type]


def test_the_wire_cannot_change_while_it_serves(pair: Regions) -> None:
    config = pair.config(probe=QUIET)
    with router.Router(config) as it, pytest.raises(router.ConfigError, match="wire: changes"):
        it.reload(replace(config, wire=CORE))


@pytest.mark.parametrize(
    ("program", "loaded"),
    [
        ("router.Client({})", False),
        ("router.AsyncClient({})", True),
        ("router.AsyncClient({}, timeout=1.0)", True),
    ],
)
def test_aiohttp_is_imported_by_the_client_that_uses_it(program: str, *, loaded: bool) -> None:
    config = "router.Config(endpoints=('https://a.test',), probe=router.Probe(enabled=False))"
    lines = f"import sys, router; {program.format(config)}; print('aiohttp' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", lines], capture_output=True, check=True)
    assert ran.stdout.decode().strip() == str(loaded)
