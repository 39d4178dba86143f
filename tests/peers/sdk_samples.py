"""The SDKs of openai, anthropic and groq asked alike, and regions that speak to them.

Each is asked in a thread or in a task, over httpx or httpx2, whichever it takes.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import importlib
import inspect
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import router
from router.testing import Received, Regions, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

__all__ = ["KINDS", "WORDS", "Talk", "config_for", "failing", "imported", "kinds_of", "speak"]

WORDS = ("Guten", " ", "Tag")
JSON = {"Content-Type": "application/json"}
SSE = {"Content-Type": "text/event-stream"}
CLIENTS = {
    ("httpx", "sync"): router.Client,
    ("httpx", "async"): router.AsyncClient,
    ("httpx2", "sync"): router.httpx2.Client,
    ("httpx2", "async"): router.httpx2.AsyncClient,
}
SDKS = {
    "openai": ("OpenAI", "/v1", "/chat/completions", ("httpx2", "httpx")),
    "anthropic": ("Anthropic", "/v1", "/messages", ("httpx2",)),
    "groq": ("Groq", "/openai/v1", "/chat/completions", ("httpx",)),
}
KINDS = [
    f"{sdk} {family} {way}"
    for sdk, (*_, families) in SDKS.items()
    for family in families
    for way in ("sync", "async")
]
HOSTS = ("api.openai.com", "api.anthropic.com", "api.groq.com")


def kinds_of(sdk: str) -> list[str]:
    """Return the kinds of one SDK."""
    return [kind for kind in KINDS if kind.startswith(f"{sdk} ")]


def config_for(regions: Regions, kind: str, **sections: Any) -> router.Config:
    """Return a Config for an SDK's own default host.

    Each region is a tier of its own, nothing is probed, and backoff is short.
    """
    _, base, *_ = SDKS[kind.partition(" ")[0]]
    backoff = router.Backoff(base=0.001, cap=0.002)
    sections.setdefault("failover", router.Failover(attempts=2, repeat="always", backoff=backoff))
    return router.Config(
        endpoints=tuple(
            replace(endpoint, tier=tier) for tier, endpoint in enumerate(regions.endpoints(base), 1)
        ),
        hosts=HOSTS,
        probe=router.Probe(enabled=False),
        **sections,
    )


# -- what regions say


def speak(request: Received) -> Reply:
    """Answer in the protocol that the request is in, plain or streamed."""
    wanted = json.loads(request.body)
    claude = request.target.partition("?")[0].endswith("/messages")
    if wanted.get("stream"):
        return Reply(headers=SSE, chunks=tuple(_claude() if claude else _chunks()), pause=0.001)
    return Reply(headers=JSON, body=json.dumps(_message() if claude else _completion()).encode())


def failing(status: int) -> Reply:
    """Return an error as these APIs write it."""
    error = {"message": "no", "type": "some_error", "code": "some_code", "param": None}
    return Reply(status, JSON, json.dumps({"type": "error", "error": error}).encode())


def _message() -> dict[str, Any]:
    usage = {"input_tokens": 3, "output_tokens": 3}
    content = [{"type": "text", "text": "".join(WORDS)}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m"}
    return {**message, "content": content, "stop_reason": "end_turn", "usage": usage}


def _claude() -> Iterator[bytes]:
    def event(name: str, **data: object) -> bytes:
        return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()

    yield event("message_start", message={**_message(), "content": [], "stop_reason": None})
    yield event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for word in WORDS:
        yield event("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield event("content_block_stop", index=0)
    yield event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 3})
    yield event("message_stop")


def _completion() -> dict[str, Any]:
    message = {"role": "assistant", "content": "".join(WORDS)}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def _chunks() -> Iterator[bytes]:
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    for word in WORDS:
        choice = {"index": 0, "delta": {"content": word}, "finish_reason": None}
        yield f"data: {json.dumps({**chunk, 'choices': [choice]})}\n\n".encode()
    yield b"data: [DONE]\n\n"


# -- who asks


class Talk:
    """One client of an SDK; what an asynchronous one does runs in a loop of its own."""

    def __init__(self, kind: str, config: Any, **options: Any) -> None:
        self.sdk, family, self.way = kind.split()
        self.module: Any = imported(self.sdk)
        name, *_ = SDKS[self.sdk]
        self._runner = asyncio.Runner() if self.way == "async" else None
        self.http: Any = CLIENTS[family, self.way](config)
        make = getattr(self.module, name if self.way == "sync" else f"Async{name}")
        self.client: Any = make(**{"api_key": "sk-test", "http_client": self.http, **options})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self.client.close())
        if self._runner is not None:
            self._runner.close()

    def run(self, waits: Any) -> Any:
        """Return what a coroutine brings; of the synchronous SDK, the thing itself."""
        if self._runner is None or not inspect.isawaitable(waits):
            return waits
        return self._runner.run(_awaited(waits), context=contextvars.copy_context())

    @property
    def create(self) -> Any:
        """The SDK's own method that asks."""
        return self.resource.create

    @property
    def resource(self) -> Any:
        """What has that method, and its raw and streaming twins."""
        client = self.client
        return client.messages if self.sdk == "anthropic" else client.chat.completions

    @property
    def question(self) -> dict[str, Any]:
        """The arguments of a short question."""
        most = {"max_tokens": 9} if self.sdk == "anthropic" else {}
        return {"model": "m", "messages": [{"role": "user", "content": "Hallo"}], **most}

    def ask(self, **more: Any) -> str:
        """Ask, and return the answer's text."""
        return self.text_of(self.run(self.create(**self.question, **more)))

    def at_once(self, options: list[router.Options]) -> list[Any]:
        """Ask once with each of these Options, all at once; return answers and errors."""
        if self._runner is not None:
            return list(self.run(self._together(options)))
        with ThreadPoolExecutor(len(options)) as threads:
            return list(threads.map(self._one, options))

    def _one(self, options: router.Options) -> Any:
        try:
            with router.using(options):
                return self.create(**self.question)
        except Exception as error:  # noqa: BLE001 - the test looks at it
            return error

    async def _together(self, options: list[router.Options]) -> list[Any]:
        async def one(own: router.Options) -> Any:
            with router.using(own):
                return await self.create(**self.question)

        return await asyncio.gather(*map(one, options), return_exceptions=True)

    def text_of(self, answer: Any) -> str:
        """Return the text of a whole answer."""
        if self.sdk == "anthropic":
            return str(answer.content[0].text)
        return str(answer.choices[0].message.content)

    def stream(self, **more: Any) -> list[str]:
        """Ask for a stream, and return its parts."""
        if self._runner is not None:
            return list(self.run(self._astream(**more)))
        events = self.create(**self.question, **more, stream=True)
        return list(filter(None, map(self._part, events)))

    async def _astream(self, **more: Any) -> Any:
        events = await self.create(**self.question, **more, stream=True)
        return [part async for event in events if (part := self._part(event))]

    def _part(self, event: Any) -> str | None:
        if self.sdk != "anthropic":
            return str(event.choices[0].delta.content)
        return event.delta.text if event.type == "content_block_delta" else None

    @contextlib.contextmanager
    def fails_as(self, name: str) -> Any:
        """See that what is done raises the SDK's own exception of this name, and no other class."""
        wanted = getattr(self.module, name)
        found: list[BaseException] = []
        try:
            yield found
        except wanted as error:
            found.append(error)
        assert [type(error) for error in found] == [wanted]


def imported(sdk: str) -> Any:
    """Return an SDK; without it a test is skipped, but not in CI."""
    if os.environ.get("CI") == "true":
        return importlib.import_module(sdk)
    return pytest.importorskip(sdk, reason=f"{sdk} is not installed: this test did not run")


async def _awaited(waits: Any) -> Any:
    return await waits
