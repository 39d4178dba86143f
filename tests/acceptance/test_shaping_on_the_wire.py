"""Shaped requests as servers get them, over both libraries, in threads and in tasks."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import botocore.auth
import pytest
import trustme
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from four_clients import KINDS, Asker, late_after
from h2_peer import http2_server

import router
from router.config.signing import HmacSettings, SigV4Settings
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

QUIET = router.Probe(enabled=False)
FAST = router.Backoff(base=0.001, cap=0.002)
SHAPES: dict[str, dict[str, Any]] = {
    "east": {
        "region": "gcp:us-east1",
        "variables": {"project": "p1"},
        "headers": {"api-key": "east-key"},
        "query": {"api-version": "1"},
        "json": {"model": "gpt-east"},
    },
    "west": {
        "region": "gcp:us-west1",
        "variables": {"project": "p2"},
        "remove": {"headers": ["X-Debug"], "json": ["logprobs"]},
        "models": {"gpt": "gpt-west"},
    },
}


@pytest.fixture
def two() -> Iterator[Regions]:
    """East is asked first: it is in the lower tier."""
    with Regions(east=0.0, west=0.0) as regions:
        yield regions


def config(two: Regions, shapes: dict[str, Any] | None = None, **sections: Any) -> router.Config:
    shapes = SHAPES if shapes is None else shapes
    endpoints = tuple(
        router.Endpoint(
            name=region.name, url=f"{region.url}/v1", tier=tier, **shapes.get(region.name, {})
        )
        for tier, region in enumerate(two, 1)
    )
    sections.setdefault("failover", router.Failover(repeat="always", backoff=FAST))
    return router.Config(endpoints=endpoints, probe=QUIET, **sections)


@pytest.mark.parametrize("kind", KINDS)
def test_each_endpoint_shapes_the_callers_own_request(two: Regions, kind: str) -> None:
    two["east"].respond = lambda _: Reply(503)
    body = {"model": "gpt", "logprobs": True, "n": 1}
    path = "/projects/{project}/locations/{region}/models/gpt:go?a=%2F"
    headers = {"X-Debug": "1", "Idempotency-Key": "once"}
    with Asker(kind, config(two)) as asker:
        response = asker.request("POST", path, json=body, headers=headers)
        assert response.status_code == 200

    first, second = two.received
    assert (first.region, second.region) == ("east", "west")
    assert first.target == "/v1/projects/p1/locations/us-east1/models/gpt:go?a=%2F&api-version=1"
    assert second.target == "/v1/projects/p2/locations/us-west1/models/gpt-west:go?a=%2F"
    assert (first.headers["api-key"], first.headers["x-debug"]) == ("east-key", "1")
    assert "api-key" not in second.headers
    assert "x-debug" not in second.headers
    assert json.loads(first.body) == {**body, "model": "gpt-east"}
    assert json.loads(second.body) == {"model": "gpt-west", "n": 1}
    for got in (first, second):
        assert got.headers["content-length"] == str(len(got.body))
        assert got.headers["idempotency-key"] == "once"


@pytest.mark.parametrize("kind", KINDS)
def test_a_retry_at_the_same_endpoint_sends_the_same_bytes(two: Regions, kind: str) -> None:
    two["west"].kill()
    replies = itertools.chain([Reply(503)], itertools.repeat(Reply()))
    two["east"].respond = lambda _: next(replies)
    with Asker(kind, config(two)) as asker:
        assert asker.request("POST", "/{project}", json={"model": "a"}).status_code == 200
    first, second = two.received
    assert (first.target, first.body, first.headers) == (
        second.target,
        second.body,
        second.headers,
    )
    assert json.loads(first.body) == {"model": "gpt-east"}


@pytest.mark.parametrize("kind", KINDS)
def test_json_that_is_streamed_is_refused_before_it_leaves(two: Regions, kind: str) -> None:
    async def chunks() -> Any:
        yield b"{}"

    content = chunks() if "async" in kind else iter([b"{}"])
    headers = {"Content-Type": "application/json"}
    with Asker(kind, config(two)) as asker:
        with pytest.raises(router.CallerError, match="this one is streamed") as refused:
            asker.request("POST", "/x", content=content, headers=headers)
        assert not refused.value.maybe_processed
        assert "east" in str(refused.value)
        assert asker.taken() == (0, 0, 0)
        assert asker.router.pool.in_flight() == {"east": 0, "west": 0}
    assert two.received == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_stream_that_is_no_json_goes_out_as_it_is(two: Regions, kind: str) -> None:
    async def chunks() -> Any:
        yield b"one "
        yield b"two"

    content = chunks() if "async" in kind else iter([b"one ", b"two"])
    with Asker(kind, config(two)) as asker:
        asker.request("POST", "/x", content=content)
    (got,) = two.received
    assert (got.target, got.body) == ("/v1/x?api-version=1", b"one two")


@pytest.mark.parametrize("kind", KINDS)
def test_a_keyed_hash_covers_the_shaped_request(two: Regions, kind: str) -> None:
    keyed = HmacSettings(key="k", template="{method}{target}{body}", header="X-Signature")  # type: ignore[arg-type]
    with Asker(kind, config(two, sign=router.SignSettings(hmac=keyed))) as asker:
        asker.request("POST", "/{region}?a=b", json={"model": "x"})
    (got,) = two.received
    assert got.target == "/v1/us-east1?a=b&api-version=1"
    text = f"POST{got.target}".encode() + got.body
    assert b"gpt-east" in got.body
    assert got.headers["x-signature"] == hmac.new(b"k", text, hashlib.sha256).hexdigest()


def test_an_aws_signature_covers_the_shaped_request(two: Regions) -> None:
    settings = SigV4Settings(service="bedrock", region="us-east-1", access_key="A", secret_key="S")  # type: ignore[arg-type]
    with Asker("httpx", config(two, sign=router.SignSettings(sigv4=settings))) as asker:
        asker.request("POST", "/{region}", json={"model": "x"}, headers={"X-Amz-Meta": "1"})
    (got,) = two.received
    signed = re.search(r"SignedHeaders=([^,]+)", got.headers["authorization"])
    assert signed is not None
    again = AWSRequest("POST", f"http://{got.headers['host']}{got.target}", data=got.body)
    for name in signed[1].split(";"):
        again.headers[name] = got.headers[name]
    again.context["timestamp"] = got.headers["x-amz-date"]
    auth = botocore.auth.SigV4Auth(Credentials("A", "S"), "bedrock", "us-east-1")
    text = auth.string_to_sign(again, auth.canonical_request(again))
    assert got.headers["authorization"].endswith(f"Signature={auth.signature(text, again)}")


def test_a_file_says_it_all_and_its_secrets_are_not_shown(two: Regions, tmp_path: Path) -> None:
    east, west = two
    text = f"""
endpoints:
- name: east
  url: {east.url}/{{stage}}/projects/{{project}}
  variables: {{stage: v1, project: 17}}
  headers: {{api-key: "${{EAST_KEY}}"}}
  query: {{key: "${{EAST_KEY}}", api-version: "2024-06-01"}}
  json: {{model: gpt-east, stream_options.include_usage: true}}
  tier: 1
- {{name: west, url: "{west.url}/v1", tier: 2}}
probe: {{enabled: false}}
"""
    made = router.config.loads(text, environ={"EAST_KEY": "planted"})
    assert "planted" not in repr(made)
    with router.Client(made) as client:
        client.post("/chat", json={"model": "x"})
        explained = client.router.explain().as_dict()
    (got,) = two.received
    assert got.target == "/v1/projects/17/chat?key=planted&api-version=2024-06-01"
    assert got.headers["api-key"] == "planted"
    assert json.loads(got.body) == {
        "model": "gpt-east",
        "stream_options": {"include_usage": True},
    }
    assert "planted" not in json.dumps(explained)


def test_an_endpoints_own_error_shows_no_value(two: Regions) -> None:
    two["east"].kill()
    two["west"].kill()
    with Asker("httpx", config(two)) as asker:
        with pytest.raises(router.RouterError) as failed:
            asker.request("POST", "/{project}", json={"model": "x"})
        assert "east-key" not in failed.value.explain() + repr(failed.value.attempts)


def test_what_is_received_is_what_a_plain_endpoint_gets_too(two: Regions) -> None:
    """Shaping that has nothing to do for a request leaves it as it would be without."""
    shapes = {"west": {"models": {"other": "o"}, "remove": {"headers": ["X-None"]}}}
    got: dict[str, Received] = {}
    with Asker("httpx", config(two, shapes)) as asker:
        for name in ("east", "west"):
            options = router.Options(regions=name)
            asker.request("POST", "/m?a=b", json={"model": "x"}, extensions={"router": options})
            got[name] = two[name].received[0]
    east, west = got["east"], got["west"]
    assert (east.target, east.body) == (west.target, west.body)
    assert {**east.headers, "host": ""} == {**west.headers, "host": ""}
    assert list(east.headers) == list(west.headers)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_reloaded_shapes_the_next_request(two: Regions, kind: str) -> None:
    with Asker(kind, config(two)) as asker:
        asker.request("POST", "/{project}", json={"model": "x"})
        asker.router.reload(config(two, {"east": {"json": {"model": "new"}}}))
        asker.request("POST", "/{project}", json={"model": "x"})
        asker.router.reload(config(two, {}))
        asker.request("POST", "/{project}", json={"model": "x"})
    assert [json.loads(got.body)["model"] for got in two.received] == ["gpt-east", "new", "x"]
    assert [got.headers.get("api-key") for got in two.received] == ["east-key", None, None]
    assert two.received[2].target == "/v1/%7Bproject%7D"


@pytest.mark.parametrize("kind", KINDS)
def test_who_is_asked_second_cannot_spoil_an_answer_on_its_way(two: Regions, kind: str) -> None:
    """A second request that its endpoint refuses to shape counts for nothing."""
    two["east"].latency = 0.15
    shapes = {"west": {"json": {"model": "x"}, "weight": 0.001}}
    hedged = router.Failover(hedge=router.Hedge(after=0.5, at_most=1.0))
    made = config(two, shapes, failover=hedged)
    made = replace(made, endpoints=tuple(replace(e, tier=1) for e in made.endpoints))
    headers = {"Content-Type": "application/json"}
    with Asker(kind, made) as asker:
        late_after(asker, 0.03)
        assert asker.request("PUT", "/", content=b"[1]", headers=headers).status_code == 200
        asker.settle()
    assert two.shares() == {"east": 1}


@pytest.mark.parametrize("kind", KINDS)
def test_http2_carries_the_shaped_request_with_its_length(tmp_path: Path, kind: str) -> None:
    """The server's h2 breaks off where a body's length is not the one that its head told."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with http2_server(authority, latency=0.05, streams=5) as server:
        made = router.Config(
            endpoints=(router.Endpoint(url=server.url, address="127.0.0.1", **SHAPES["east"]),),
            http2=True,
            probe=QUIET,
            tls=router.TlsSettings(ca=tmp_path / "ca.pem"),
        )
        with Asker(kind, made) as asker:
            assert asker.request("POST", "/{region}", json={"model": "a"}).status_code == 200
        ((_, headers),) = server.received
    assert headers[":path"] == "/us-east1?api-version=1"
    assert headers["api-key"] == "east-key"
    assert int(headers["content-length"]) == len('{"model":"gpt-east"}')
