"""The Router: reload, drain, rank for an end user, close; and that nothing secret leaves it."""

from __future__ import annotations

import gc
import logging
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import router
from router.testing import Received, Regions, Reply, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = Path(__file__).parent.parent / "data" / "demo.mmdb"
SECRETS = ("planted-client-secret", "planted-header", "planted-body", "planted-query")


@pytest.fixture
def two() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        yield regions


def quiet(regions: Regions) -> router.Config:
    return regions.config(probe=router.Probe(enabled=False))


def test_a_reload_moves_traffic_and_keeps_what_was_learnt(two: Regions) -> None:
    config = quiet(two)
    with router.Client(config) as client:
        client.get("/")
        learnt = client.router.pool._roster.states["a"]
        client.router.reload(replace(config, endpoints=config.endpoints[:1]))
        assert client.router.pool._roster.states == {"a": learnt}
        client.router.reload(replace(config, endpoints=config.endpoints[1:]))
        assert client.get("/").extensions["router"].endpoint == "b"


def test_a_wrong_reload_leaves_the_old_configuration_at_work(two: Regions, tmp_path: Path) -> None:
    broken = tmp_path / "routes.yaml"
    broken.write_text("endpoints: [")
    with router.Client(quiet(two)) as client:
        with pytest.raises(router.ConfigError, match=r"routes.yaml:2:1: this is not YAML"):
            client.router.reload(broken)
        limited = replace(quiet(two), limits=router.Limits(concurrency=1))
        with pytest.raises(router.ConfigError, match="need a new Router"):
            client.router.reload(limited)
        assert client.get("/").status_code == 200


def test_a_drained_endpoint_gets_nothing_new(two: Regions) -> None:
    with router.Client(quiet(two)) as client:
        client.router.drain("a")
        assert client.get("/").extensions["router"].endpoint == "b"
        client.router.drain("b")
        with pytest.raises(router.NoEndpointError, match="undrain one"):
            client.get("/")
        client.router.undrain("a")
        assert client.get("/").extensions["router"].endpoint == "a"
        with pytest.raises(router.ConfigError, match="no endpoint is named c"):
            client.router.drain("c")


def test_an_end_user_is_ranked_for_by_geography() -> None:
    geo = router.GeoSettings(database=DATABASE, here="aws:ap-northeast-1")
    endpoints = tuple(
        router.Endpoint(url=f"https://{name}.test", name=name, region=region)
        for name, region in {"tokyo": "aws:ap-northeast-1", "london": "aws:eu-west-2"}.items()
    )
    config = router.Config(endpoints=endpoints, geo=geo, probe=router.Probe(enabled=False))
    with router.Router(config) as it:
        assert [ranked.name for ranked in it.rank()] == ["tokyo", "london"]
        for_user = it.rank(client_ip="81.2.69.142")
        assert [ranked.name for ranked in for_user] == ["london", "tokyo"]
        assert for_user[0].source == "prior"
        assert [ranked.name for ranked in it.rank(client_ip="127.0.0.1")] == ["tokyo", "london"]
        with pytest.raises(router.GeoError, match="not an IP address"):
            it.rank(client_ip="example.com")


def test_the_snapshot_is_plain_data(two: Regions) -> None:
    with router.Client(two.config()) as client:
        assert client.router.wait_until_measured()
        state = client.router.snapshot()
    assert {endpoint["name"] for endpoint in state["endpoints"]} == {"a", "b"}
    assert state["clock"].keys() == {"status", "source", "bound_ms", "unsure_stamps"}
    assert state["limiter"] == {"in_use": 0, "waiting": 0}
    assert state["token"] is None


def test_the_snapshot_tells_of_the_token_without_showing_it(two: Regions) -> None:
    token = router.TokenSettings(grant="static", value=router.Secret("planted"))
    with router.Client(two.config(token=token)) as client:
        client.get("/")
        state = client.router.snapshot()
    assert state["token"]["tokens"][0]["kind"] == "static key"
    assert "planted" not in repr(state)


def test_waiting_to_be_measured_has_an_end() -> None:
    config = router.Config(
        endpoints=(router.Endpoint(url="http://127.0.0.1:9"),), probe=router.Probe(enabled=False)
    )
    with router.Router(config) as it:
        assert not it.wait_until_measured(0.05)


def test_a_router_that_is_closed_or_forgotten_leaves_no_thread(two: Regions) -> None:
    def threads() -> int:
        return sum(thread.name == "region-router" for thread in threading.enumerate())

    gc.collect()  # what earlier tests forgot
    before = threads()
    with router.Client(two.config()) as client:
        client.get("/")
        assert threads() == before + 1
    client.close()
    assert threads() == before
    forgotten = router.Router(two.config()).start()
    assert threads() == before + 1
    del forgotten
    gc.collect()
    assert threads() == before


def test_nothing_secret_leaves(two: Regions, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    issued = []

    def respond(request: Received) -> Reply:
        issued.append(request.headers["authorization"].removeprefix("Bearer "))
        return Reply(401 if len(issued) == 1 else 503)

    for region in two:
        region.respond = respond
    shown = []
    with TokenServer(client_secret=SECRETS[0]) as tokens:
        settings = tokens.settings("client_credentials")
        with router.Client(two.config(token=settings)) as client:
            url, headers = f"/?key={SECRETS[3]}", {"X-Key": SECRETS[1]}
            response = client.post(url, headers=headers, content=SECRETS[2])
            trace = response.extensions["router"]
            shown += [trace.explain(), repr(trace), repr(trace.as_dict())]
            shown += [repr(client.router.config), repr(client.router.snapshot())]
            for region in two:
                region.kill()
            tokens.stop()
            with pytest.raises(router.RouterError) as caught:
                client.post(url, headers=headers, content=SECRETS[2])
            shown += traceback.format_exception(caught.value)
            shown += [repr(caught.value), repr(caught.value.attempts)]
    assert len(issued) >= 2
    ours = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore"))]
    everything = "\n".join(shown + ours)
    for secret in (*SECRETS, *issued):
        assert secret not in everything


def test_an_ejection_and_the_return_are_told_in_the_log(
    two: Regions, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="router")
    two["a"].kill()
    only_a = {"router": router.Options(regions="a")}
    config = replace(quiet(two), failover=router.Failover(attempts=1))
    with router.Client(config) as client:
        for _ in range(5):
            with pytest.raises(router.AttemptsFailedError):
                client.get("/", extensions=only_a)
        state = client.router.pool._roster.states["a"]
        assert state.health.cause == "unreachable"
        client.router.pool.probed("a", connect=0.001, warm=0.001, now=client.router.now())
    said = [record.getMessage() for record in caplog.records if record.name == "router"]
    assert len(said) == 2
    assert said[0].startswith("a is left out for ")
    assert said[0].endswith(": connection refused")
    assert said[1] == "a serves again"
