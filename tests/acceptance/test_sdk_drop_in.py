"""The SDKs of anthropic and openai over a router client: plain, streamed, through a failover."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import anthropic
import openai
import pytest

import router
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WORDS = ("Guten", " ", "Tag")


def event(name: str, **data: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


def anthropic_stream() -> Iterator[bytes]:
    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    yield event("message_start", message={**message, "usage": usage})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in WORDS:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3})
    yield event("message_stop")


def speak_anthropic(request: Received) -> Reply:
    assert request.target == "/v1/messages"
    assert "sk-test" in {request.headers.get("x-api-key"), request.headers["authorization"][7:]}
    if json.loads(request.body).get("stream"):
        headers = {"Content-Type": "text/event-stream"}
        return Reply(headers=headers, chunks=tuple(anthropic_stream()), pause=0.002)
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "".join(WORDS)}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 3},
    }
    return Reply(headers={"Content-Type": "application/json"}, body=json.dumps(message).encode())


def openai_chunk(word: str) -> bytes:
    choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()


def speak_openai(request: Received) -> Reply:
    assert request.target == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer sk-test"
    if json.loads(request.body).get("stream"):
        chunks = (*map(openai_chunk, WORDS), b"data: [DONE]\n\n")
        return Reply(headers={"Content-Type": "text/event-stream"}, chunks=chunks, pause=0.002)
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    body = json.dumps({**completion, "choices": [choice]}).encode()
    return Reply(headers={"Content-Type": "application/json"}, body=body)


@pytest.fixture
def two() -> Iterator[Regions]:
    """Two regions; the one the router knows to be the nearer refuses connections."""
    with Regions(near=0.002, far=0.020) as regions:
        yield regions


def serve(regions: Regions, respond: Callable[[Received], Reply]) -> router.Config:
    for region in regions:
        region.respond = respond
    endpoints = tuple(
        router.Endpoint(url=f"{region.url}/v1", name=region.name) for region in regions
    )
    return router.Config(
        endpoints=endpoints,
        hosts=("api.anthropic.com", "api.openai.com"),
        probe=router.Probe(enabled=False),
    )


async def talk_to_anthropic(client: anthropic.AsyncAnthropic) -> tuple[str, str]:
    ask = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hallo"}]}
    plain = await client.messages.create(**ask)  # type: ignore[call-overload]
    async with client.messages.stream(**ask) as stream:  # type: ignore[arg-type]
        streamed = "".join([text async for text in stream.text_stream])
    return plain.content[0].text, streamed


async def talk_to_openai(client: openai.AsyncOpenAI) -> tuple[str, str]:
    ask = {"model": "m", "messages": [{"role": "user", "content": "Hallo"}]}
    plain = await client.chat.completions.create(**ask)  # type: ignore[call-overload]
    stream = await client.chat.completions.create(**ask, stream=True)  # type: ignore[call-overload]
    streamed = "".join([chunk.choices[0].delta.content async for chunk in stream])
    return plain.choices[0].message.content, streamed


def test_anthropic_plain_and_streamed_through_a_failover(two: Regions) -> None:
    config = serve(two, speak_anthropic)

    async def main() -> None:
        http_client = router.httpx2.AsyncClient(config)
        async with anthropic.AsyncAnthropic(api_key="sk-test", http_client=http_client) as client:
            assert await talk_to_anthropic(client) == ("Guten Tag", "Guten Tag")
            await asyncio.to_thread(two["near"].kill)
            assert await talk_to_anthropic(client) == ("Guten Tag", "Guten Tag")

    asyncio.run(main())
    assert two.shares() == {"near": 2, "far": 2}


@pytest.mark.parametrize("make", [router.httpx2.AsyncClient, router.AsyncClient])
def test_openai_plain_and_streamed_through_a_failover(
    two: Regions, make: Callable[..., router.AsyncClient]
) -> None:
    config = serve(two, speak_openai)

    async def main() -> None:
        async with openai.AsyncOpenAI(api_key="sk-test", http_client=make(config)) as client:  # type: ignore[arg-type]
            assert await talk_to_openai(client) == ("Guten Tag", "Guten Tag")
            await asyncio.to_thread(two["near"].kill)
            assert await talk_to_openai(client) == ("Guten Tag", "Guten Tag")

    asyncio.run(main())
    assert two.shares() == {"near": 2, "far": 2}


def test_an_sdks_own_retry_loop_does_not_multiply_ours(two: Regions) -> None:
    config = serve(two, speak_anthropic)
    for region in two:
        region.respond = lambda _: Reply(529, {"Content-Type": "application/json"}, b"{}")

    async def main() -> None:
        http_client = router.httpx2.AsyncClient(config)
        async with anthropic.AsyncAnthropic(
            api_key="sk-test", http_client=http_client, max_retries=2
        ) as client:
            with pytest.raises(anthropic.InternalServerError):
                await talk_to_anthropic(client)

    failover = router.Failover(attempts=2)
    config = router.Config(
        endpoints=config.endpoints, hosts=config.hosts, probe=config.probe, failover=failover
    )
    asyncio.run(main())
    assert two.shares() == {"near": 1, "far": 1}
