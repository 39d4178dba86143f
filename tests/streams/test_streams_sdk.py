"""An SDK whose stream breaks off hears of it: never a silent end, never half an answer as whole."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from stream_servers import CUT, RESET, Servers, chunked, head

import router
from router.errors import StreamBrokenError

if TYPE_CHECKING:
    from collections.abc import Callable

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hallo"}]}
EVENTS = head(Transfer_Encoding="chunked", Content_Type="text/event-stream")
HOSTS = ("api.anthropic.com", "api.openai.com")


def event(name: str, **data: object) -> bytes:
    return chunked(f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode())


def anthropic_words(*words: str) -> bytes:
    usage = {"input_tokens": 3, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    return b"".join(
        [
            EVENTS,
            event("message_start", message={**message, "usage": usage}),
            event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
            *(
                event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
                for word in words
            ),
        ]
    )


def openai_words(*words: str) -> bytes:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    parts = []
    for word in words:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        parts.append(chunked(f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()))
    return EVENTS + b"".join(parts)


@pytest.mark.parametrize("end", [CUT, RESET])
def test_anthropic_hears_that_its_stream_broke(end: str) -> None:
    words: list[str] = []
    with Servers("a", "b") as servers:
        servers.serve = lambda _: [anthropic_words("Guten", " "), end]
        http_client = router.httpx2.Client(servers.config(hosts=HOSTS))
        with (
            anthropic.Anthropic(api_key="sk-test", http_client=http_client) as client,
            pytest.raises(StreamBrokenError) as caught,
            client.messages.stream(max_tokens=9, **ASK) as stream,
        ):
            words.extend(stream.text_stream)
    assert words == ["Guten", " "]
    assert caught.value.maybe_processed
    assert servers.order() == ["a"]


@pytest.mark.parametrize("make", [router.httpx2.AsyncClient, router.AsyncClient])
def test_openai_hears_that_its_stream_broke(make: Callable[..., Any]) -> None:
    words: list[str] = []

    async def main(config: router.Config) -> None:
        async with openai.AsyncOpenAI(api_key="sk-test", http_client=make(config)) as client:
            stream = await client.chat.completions.create(**ASK, stream=True)
            async for chunk in stream:
                words.append(chunk.choices[0].delta.content)  # noqa: PERF401 - it breaks

    with Servers("a", "b") as servers:
        servers.serve = lambda _: [openai_words("Guten", " "), CUT]
        with pytest.raises(openai.APIConnectionError) as caught:
            asyncio.run(main(servers.config(hosts=HOSTS)))
    assert isinstance(caught.value.__cause__, StreamBrokenError)
    assert words == ["Guten", " "]
    assert servers.order() == ["a"]


def test_repeat_always_asks_for_a_stream_again_of_which_nothing_came() -> None:
    with Servers("a", "b") as servers:
        whole = [openai_words("Guten", " ", "Tag") + chunked(b"data: [DONE]\n\n") + b"0\r\n\r\n"]
        servers.serve = lambda asked: [EVENTS, CUT] if asked.server == "a" else whole
        failover = router.Failover(repeat="always")
        http_client = router.httpx2.Client(servers.config(hosts=HOSTS, failover=failover))
        with openai.OpenAI(api_key="sk-test", http_client=http_client) as client:
            stream = client.chat.completions.create(**ASK, stream=True)
            words = [chunk.choices[0].delta.content for chunk in stream]
    assert words == ["Guten", " ", "Tag"]
    assert servers.order() == ["a", "b"]
