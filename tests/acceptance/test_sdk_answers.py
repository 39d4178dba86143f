"""What the SDKs of openai, anthropic and groq get through the router: answers, streams, errors."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import openai
import pytest
from sdk_samples import KINDS, WORDS, Talk, config_for, failing, kinds_of, speak

import router
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

STATUSES = [
    (400, "BadRequestError", 1),
    (401, "AuthenticationError", 1),
    (404, "NotFoundError", 1),
    (429, "RateLimitError", 2),
    (500, "InternalServerError", 2),
]


@pytest.fixture
def two() -> Iterator[Regions]:
    """Two regions; `near` is the one that is asked first."""
    with Regions(near=0.002, far=0.010) as regions:
        for region in regions:
            region.respond = speak
        yield regions


@pytest.mark.parametrize("kind", KINDS)
def test_plain_and_streamed_answers_come_from_whoever_lives(two: Regions, kind: str) -> None:
    with Talk(kind, config_for(two, kind)) as talk:
        assert talk.ask() == "Guten Tag"
        assert talk.stream() == list(WORDS)
        two["near"].kill()
        assert talk.ask() == "Guten Tag"
        assert talk.stream() == list(WORDS)
    assert two.shares() == {"near": 2, "far": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_traffic_goes_on_while_a_region_dies_and_comes_back(two: Regions, kind: str) -> None:
    with Talk(kind, config_for(two, kind)) as talk:
        for number in range(30):
            if number == 10:
                two["near"].kill()
            if number == 20:
                two["near"].revive()
            assert talk.ask() == "Guten Tag"
    assert sum(two.shares().values()) == 30
    assert two.shares()["far"] >= 10


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("status", "name", "sent"), STATUSES)
def test_an_error_is_the_sdks_own_and_is_not_asked_for_again(
    two: Regions, kind: str, status: int, name: str, sent: int
) -> None:
    for region in two:
        region.respond = lambda _: failing(status)
    with (
        Talk(kind, config_for(two, kind), max_retries=2) as talk,
        talk.fails_as(name) as failed,
    ):
        talk.ask()
    assert failed[0].status_code == status
    assert "no" in str(failed[0].body)
    assert len(two.received) == sent


@pytest.mark.parametrize("kind", KINDS)
def test_a_streams_error_is_the_sdks_own_too(two: Regions, kind: str) -> None:
    for region in two:
        region.respond = lambda _: failing(429)
    with Talk(kind, config_for(two, kind)) as talk, talk.fails_as("RateLimitError"):
        talk.stream()
    assert len(two.received) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_raw_and_streaming_responses_say_where_they_come_from(two: Regions, kind: str) -> None:
    async def astreamed(talk: Talk) -> tuple[bytes, Any]:
        async with talk.resource.with_streaming_response.create(**talk.question) as response:
            return await response.read(), response.http_response

    def streamed(talk: Talk) -> tuple[bytes, Any]:
        with talk.resource.with_streaming_response.create(**talk.question) as response:
            return response.read(), response.http_response

    with Talk(kind, config_for(two, kind)) as talk:
        raw = talk.run(talk.resource.with_raw_response.create(**talk.question))
        parsed = talk.run(raw.parse())  # groq's and anthropic's is a coroutine
        assert talk.text_of(parsed) == "Guten Tag"
        assert raw.headers["content-type"] == "application/json"
        assert raw.http_response.extensions["router"].endpoint == "near"
        body, response = talk.run((streamed if talk.way == "sync" else astreamed)(talk))
        assert b"Guten Tag" in body
        assert response.extensions["router"].endpoint == "near"
        assert talk.http.router.limiter.in_use == 0


@pytest.mark.parametrize("kind", KINDS)
def test_headers_of_one_request_arrive(two: Regions, kind: str) -> None:
    with Talk(kind, config_for(two, kind)) as talk:
        talk.ask(extra_headers={"X-Own": "mine", "Idempotency-Key": "k"}, extra_query={"q": "1"})
    (got,) = two.received
    assert (got.headers["x-own"], got.headers["idempotency-key"]) == ("mine", "k")
    assert got.target.endswith("?q=1")


@pytest.mark.parametrize("kind", KINDS)
def test_options_of_one_request_are_given_around_it(two: Regions, kind: str) -> None:
    with Talk(kind, config_for(two, kind)) as talk:
        with router.using(router.Options(regions="far")):
            talk.ask()
            with router.using(router.Options(regions="near")):
                talk.stream()
            talk.stream()
        talk.ask()
    assert [r.region for r in sorted(two.received, key=lambda r: r.at)] == [
        "far",
        "near",
        "far",
        "near",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_each_of_many_at_once_has_its_own_options(two: Regions, kind: str) -> None:
    names = ["near", "far", "far", "near", "far", "near"]
    with Talk(kind, config_for(two, kind)) as talk:
        answers = talk.at_once([router.Options(regions=name) for name in names])
        assert [talk.text_of(answer) for answer in answers] == ["Guten Tag"] * 6
    assert two.shares() == {"near": 3, "far": 3}


def test_options_of_its_own_win_over_those_around_a_request(two: Regions) -> None:
    far, near = router.Options(regions="far"), router.Options(regions="near")
    with router.Client(config_for(two, "openai httpx sync")) as client, router.using(far):
        client.post("/chat/completions", json={}, extensions={"router": near})
        client.post("/chat/completions", json={})
        with pytest.raises(router.OptionsError, match=r"takes a router\.Options"):
            client.post("/", extensions={"router": None})
    assert [r.region for r in sorted(two.received, key=lambda r: r.at)] == ["near", "far"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_base_url_of_ones_own_serves_as_well(two: Regions, kind: str) -> None:
    base = router.BASE_URL
    with Talk(kind, config_for(two, kind), base_url=base) as talk:
        client = talk.client.with_options(timeout=5.0)
        assert talk.ask() == "Guten Tag"
        assert str(client.base_url).startswith(base)


@pytest.mark.parametrize("kind", KINDS)
def test_a_host_that_is_not_served_is_refused_before_a_byte_leaves(two: Regions, kind: str) -> None:
    base = "https://api.example.com/v1"
    with (
        Talk(kind, config_for(two, kind), base_url=base, max_retries=0) as talk,
        talk.fails_as("APIConnectionError") as failed,
    ):
        talk.ask()
    assert isinstance(failed[0].__cause__, router.UnknownHostError)
    assert two.received == []


@pytest.mark.parametrize("kind", kinds_of("openai"))
def test_azures_deployments_are_named_anew_at_each_endpoint(two: Regions, kind: str) -> None:
    config = config_for(two, kind)
    endpoints = tuple(
        router.Endpoint(
            name=region.name,
            tier=tier,
            url=f"{region.url}/openai",
            headers={"api-key": f"key-{region.name}"},  # type: ignore[arg-type] # parsed
            models={"gpt-4o": f"gpt-4o-{region.name}"},  # type: ignore[arg-type] # parsed
        )
        for tier, region in enumerate(two, 1)
    )
    config = router.Config(
        endpoints=endpoints,
        hosts=("mine.openai.azure.com",),
        probe=config.probe,
        failover=config.failover,
    )
    two["near"].respond = lambda _: Reply(503)
    with Talk(kind, config) as talk:
        azure = openai.AzureOpenAI if talk.way == "sync" else openai.AsyncAzureOpenAI
        talk.client = azure(
            api_key="none",
            api_version="2024-06-01",
            azure_endpoint="https://mine.openai.azure.com",
            http_client=talk.http,
        )
        talk.run(talk.create(**{**talk.question, "model": "gpt-4o"}))
    first, second = two.received
    for got in (first, second):
        assert got.target == (
            f"/openai/deployments/gpt-4o-{got.region}/chat/completions?api-version=2024-06-01"
        )
        assert got.headers["api-key"] == f"key-{got.region}"
        assert f'"gpt-4o-{got.region}"'.encode() in got.body
    assert (first.region, second.region) == ("near", "far")


def test_the_context_of_options_costs_next_to_nothing(two: Regions) -> None:
    def best(times: int, do: Any) -> float:
        found = []
        for _ in range(5):
            began = time.perf_counter()
            for _ in range(times):
                do()
            found.append((time.perf_counter() - began) / times)
        return min(found)

    empty = best(10_000, lambda: None)
    assert best(10_000, router.options.CURRENT.get) - empty < 0.3e-6


def test_what_is_no_options_is_refused() -> None:
    with (
        pytest.raises(router.OptionsError, match=r"takes a router\.Options"),
        router.using({"tags": "eu"}),  # type: ignore[arg-type]
    ):
        pass


def test_a_region_speaks_for_whom_it_is_asked(two: Regions) -> None:
    request = Received("near", "POST", "/v1/messages", {}, b"{}", 0.0)
    assert b"end_turn" in speak(request).body
