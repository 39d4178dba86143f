"""The main job from a YAML file, against real peers.

An mmdb through geoip2, chronyd whose clock is two seconds ahead of this host's, an OAuth server
(Canaille), and regions behind TLS under names of their own.
"""

from __future__ import annotations

import asyncio
import ssl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme
from chrony_peer import chronies

import router
from router.testing import Received, Regions, Reply, TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator

DATABASE = Path(__file__).parents[2] / "data" / "demo.mmdb"
AHEAD = 2.0
ROUTES = """\
geo: {{database: {database}, here: {{ip: 81.2.69.142}}}}
clock: {{servers: ["{ntp}"], header: X-Timestamp}}
token: {{url: "{token}", client_id: service, client_secret: "${{SECRET}}"}}
limits: {{concurrency: 8}}
tls: {{ca: {ca}}}
failover: {{attempts: 3}}
endpoints:
  - {{name: near, url: "{near}/v1", address: 127.0.0.1, region: "aws:eu-central-1"}}
  - {{name: far, url: "{far}/v1", address: 127.0.0.1, region: "aws:ap-northeast-1"}}
"""


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate authority's file, and a server context for near.test and far.test."""
    made = trustme.CA()
    ca = tmp_path / "ca.pem"
    made.cert_pem.write_to_path(str(ca))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.issue_cert("near.test", "far.test").configure_cert(context)
    return ca, context


@pytest.fixture
def iam_token_url(iam_server: Any) -> Iterator[str]:
    """A client of the OAuth server that may ask for tokens of its own."""
    client = iam_server.models.Client(
        client_id="service",
        client_secret="hush",
        client_name="region-router",
        grant_types=["client_credentials"],
        token_endpoint_auth_method="client_secret_basic",
        scope=["openid"],
    )
    with iam_server.app.app_context():
        iam_server.backend.save(client)
        yield f"{iam_server.url}oauth/token"
        iam_server.backend.delete(client)


def is_stored(iam: Any, header: str) -> bool:
    kind, _, token = header.partition(" ")
    stored = iam.backend.get(iam.models.Token, access_token=token)
    return kind == "Bearer" and stored is not None


def test_the_main_job_against_real_peers(
    tmp_path: Path,
    authority: tuple[Path, ssl.SSLContext],
    iam_server: Any,
    iam_token_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca, context = authority
    monkeypatch.setenv("SECRET", "hush")
    with (
        chronies(tmp_path, AHEAD) as (ntp,),
        Regions(tls=context, near=0.010, far=0.060) as regions,
    ):
        routes = tmp_path / "routes.yaml"
        routes.write_text(
            ROUTES.format(
                database=DATABASE,
                ntp=ntp,
                token=iam_token_url,
                ca=ca,
                near=regions["near"].url,
                far=regions["far"].url,
            )
        )

        def send(number: int) -> int:
            if number == 100:
                regions["near"].stop_listening()
            content = None if number % 2 else b"order"
            method = "GET" if number % 2 else "POST"
            return client.request(method, "/v1/orders", content=content).status_code

        with router.Client(routes) as client, ThreadPoolExecutor(8) as threads:
            assert client.router.wait_until_measured(2.0)
            ranking = client.router.rank()
            assert [ranked.name for ranked in ranking] == ["near", "far"]
            distances = [ranked.distance_km or 0.0 for ranked in ranking]
            assert distances == pytest.approx([640, 9560], rel=0.02)
            assert list(threads.map(send, range(200))) == [200] * 200
            stamp = client.router.clock.now()
            assert (stamp.status, stamp.source) == ("degraded", "ntp")
        check(regions, iam_server, bound=stamp.bound_ns / 1e9)


def check(regions: Regions, iam_server: Any, *, bound: float) -> None:
    """Each request had its own Host, the one token, and chronyd's time."""
    assert len(regions.received) == 200
    assert set(regions.shares()) == {"near", "far"}
    assert len({request.headers["authorization"] for request in regions.received}) == 1
    assert is_stored(iam_server, regions.received[0].headers["authorization"])
    for request in regions.received:
        region = regions[request.region]
        assert request.headers["host"] == f"{region.name}.test:{region.port}"
        assert request.target == "/v1/orders"
        late = request.at + AHEAD - int(request.headers["x-timestamp"]) / 1e3
        assert -bound - 0.001 <= late <= 0.5


def test_an_untrusted_certificate_is_refused_and_the_request_goes_elsewhere(
    authority: tuple[Path, ssl.SSLContext],
) -> None:
    ca, context = authority
    with Regions(tls=context, near=0.0) as trusted, Regions(plain=0.0) as plain:
        near = trusted.endpoints()[0]
        wrong_name = router.Endpoint(url=near.url.replace("near", "other"), address=near.address)
        sections = {"tls": router.TlsSettings(ca=ca), "probe": router.Probe(enabled=False)}
        config = router.Config(endpoints=(wrong_name, *plain.endpoints()), **sections)  # type: ignore[arg-type]
        with router.Client(config) as client:
            trace = client.post("/", content=b"secret").extensions["router"]
        assert [attempt.endpoint for attempt in trace.attempts] == [wrong_name.name, "plain"]
        assert trace.attempts[0].error == "the TLS certificate is not trusted"
        assert trusted.received == []


@pytest.mark.parametrize("make", [router.AsyncClient, router.httpx2.AsyncClient])
def test_64_threads_and_64_tasks_that_start_together_fetch_one_token(make: Any) -> None:
    with TokenServer() as tokens, Regions(only=0.001) as regions:
        tokens.delay = 0.2

        def respond(request: Received) -> Reply:
            return Reply(200 if tokens.accepts(request.headers["authorization"][7:]) else 401)

        regions["only"].respond = respond
        shared = router.Router(regions.config(token=tokens.settings("client_credentials")))

        async def tasks() -> list[int]:
            async with make(shared) as client:
                answers = await asyncio.gather(*(client.get("/") for _ in range(64)))
                return [answer.status_code for answer in answers]

        with shared, router.Client(shared) as client, ThreadPoolExecutor(65) as threads:
            asynchronous = threads.submit(asyncio.run, tasks())
            statuses = list(threads.map(lambda _: client.get("/").status_code, range(64)))
            assert statuses + asynchronous.result() == [200] * 128
        assert tokens.requests == 1
