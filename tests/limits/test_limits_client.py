"""Limits over real sockets: a caller settles what a request cost, and a hook does it for him."""

from __future__ import annotations

import inspect
import pickle
from typing import TYPE_CHECKING, Any

import pytest

import router
from router.limits.usage import tokens_used
from router.testing import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

TOKENS = router.Bound(router.Rate(60, 3600.0), of="tokens", burst=30)
USED = b'{"usage": {"input_tokens": 6, "output_tokens": 4}}'
RESERVED = {"router": router.Options(cost={"tokens": 30})}


def config(regions: Regions, **limits: Any) -> router.Config:
    return router.Config(
        endpoints=regions.endpoints(),
        limits=router.Limits(**limits),
        probe=router.Probe(enabled=False),
    )


def left(client: router.Client) -> float:
    found = client.router.snapshot()["limits"]["rates"]
    return float(found[-1]["left"])


def test_a_caller_settles_what_a_request_cost(regions: Regions) -> None:
    with router.Client(config(regions, rate=TOKENS)) as client:
        answer = client.get("/", extensions=RESERVED)
        assert left(client) == pytest.approx(0, abs=0.1)
        answer.extensions["router"].settle({"tokens": 10})
        assert left(client) == pytest.approx(20, abs=0.2)
        with pytest.raises(router.OptionsError):
            answer.extensions["router"].settle({"tokens": -1})
        pickle.loads(pickle.dumps(answer.extensions["router"])).settle({"tokens": 0})
        assert left(client) == pytest.approx(20, abs=0.2), "a copy settles nothing"
        assert client.router.peek(router.Options(cost={"tokens": 20})).at_once


def test_the_story_of_a_request_tells_what_it_waited_for_its_turn(regions: Regions) -> None:
    with router.Client(config(regions, rate=router.Rate(5, 1.0))) as client:
        client.get("/")
        second = client.get("/")
    assert "of waiting for the limiter, the" in second.extensions["router"].explain()


def test_a_stream_is_settled_while_it_is_read(regions: Regions) -> None:
    with router.Client(config(regions, rate=TOKENS, concurrency=1)) as client:
        with client.stream("GET", "/", extensions=RESERVED) as answer:
            answer.extensions["router"].settle({"tokens": 0})
            assert left(client) == pytest.approx(30, abs=0.2)
            assert client.router.limiter.in_use == 1
        assert client.router.limiter.in_use == 0


def test_a_hook_finds_the_cost_in_the_answer(regions: Regions) -> None:
    for region in regions:
        region.respond = lambda _: Reply(body=USED)
    shared = router.Router(config(regions, rate=TOKENS), used=tokens_used)
    with shared, router.Client(shared) as client:
        client.post("/", json={}, extensions=RESERVED)
        assert left(client) == pytest.approx(20, abs=0.2)


def test_a_file_leaves_no_argument_of_a_router_out(regions: Regions, tmp_path: Path) -> None:
    whole, of_file = (
        set(inspect.signature(make).parameters) for make in (router.Router, router.Router.from_yaml)
    )
    assert whole - {"config"} == of_file - {"path"}
    for region in regions:
        region.respond = lambda _: Reply(body=USED)
    file = tmp_path / "routes.yaml"
    file.write_text(
        f"endpoints: [{regions['near'].url}]\nprobe: {{enabled: false}}\n"
        "limits: {rate: {of: tokens, rate: 60/h, burst: 30}}\n"
    )
    shared = router.Router.from_yaml(file, used=tokens_used)
    with shared, router.Client(shared) as client:
        client.post("/", json={}, extensions=RESERVED)
        assert left(client) == pytest.approx(20, abs=0.2)


def test_what_answers_say_is_shown_and_obeyed(regions: Regions) -> None:
    said = [("RateLimit-Policy", '"default";q=50;w=60'), ("RateLimit", '"default";r=1;t=30')]
    for region in regions:
        region.respond = lambda _: Reply(headers=said)
    with router.Client(config(regions, rate=router.Rate(1000, 1.0))) as client:
        client.get("/")
        told = client.router.snapshot()["limits"]["told"]["requests"]
        assert (told["limit"], told["remaining"]) == (50, 1)
        assert told["reset_s"] == pytest.approx(30, abs=1)
        soon = {"router": router.Options(deadline=2.0)}
        for region in regions:
            region.respond = lambda _: Reply()
        assert client.get("/", extensions=soon).status_code == 200
        with pytest.raises(router.LimitError) as caught:
            client.get("/", extensions=soon)
        assert 5 < (caught.value.retry_after or 0) <= 7.5  # then another endpoint is asked


def test_endpoints_limits_are_part_of_the_file(regions: Regions) -> None:
    near, *others = regions.endpoints()
    own = router.EndpointLimits(rate=router.Bound(router.Rate(1, 3600.0), burst=2))
    endpoints = (router.Endpoint(url=near.url, name=near.name, tier=1, limits=own), *others)
    made = router.Config(endpoints=endpoints, probe=router.Probe(enabled=False))
    with router.Client(made) as client:
        only = {"router": router.Options(regions=near.name, deadline=0.5)}
        assert [client.get("/", extensions=only).status_code for _ in range(2)] == [200, 200]
        with pytest.raises(router.LimitError):
            client.get("/", extensions=only)
        with pytest.raises(router.LimitError):
            client.router.explain(router.Options(regions=near.name))
        assert client.get("/").status_code == 200
