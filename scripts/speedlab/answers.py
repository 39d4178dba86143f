"""What is asked and what the server answers: chat completions, so that SDKs can take part.

Rule: an answer is of the size that the model's name tells, whole or as server-sent events, and is
      made once.
"""

from __future__ import annotations

import functools
import json
import re
from typing import Any

__all__ = [
    "IDLE",
    "PATH",
    "SHORT",
    "events",
    "hold",
    "message",
    "model",
    "question",
    "whole",
    "wish",
]

PATH = "/v1/chat/completions"
SIZE = re.compile(rb"size-(\d+)")
STREAM = re.compile(rb'"stream":\s*true')
HOLD = b"please wait"
IDLE = 20
"""Connections to each region that are left idle, where that is measured."""
MESSAGES = [{"role": "user", "content": "hello"}]
HEAD: dict[str, Any] = {"id": "1", "created": 1, "model": "m"}
SHORT, LONG, MANY = 250, 1000, 10_000
"""Bytes: of an answer to a request that says nothing of size, and of long events and answers."""
LAST = b"data: [DONE]\n\n"


def model(size: int) -> str:
    """Return the name of the model whose answers have so many bytes."""
    return f"size-{size}"


@functools.cache
def question(size: int, *, streamed: bool) -> bytes:
    """Return the body of a request."""
    return json.dumps({"model": model(size), "messages": MESSAGES, "stream": streamed}).encode()


@functools.cache
def hold() -> bytes:
    """Return the body of a request whose answer waits until others came."""
    return json.dumps({"model": model(SHORT), "messages": HOLD.decode()}).encode()


def wish(body: bytes) -> tuple[int, bool, bool]:
    """Return what a body asks for: bytes, whether as events, and whether to wait with it."""
    found = SIZE.search(body)
    return int(found[1]) if found else SHORT, STREAM.search(body) is not None, HOLD in body


def message() -> list[dict[str, str]]:
    """Return the messages of a request, for SDKs."""
    return [dict(each) for each in MESSAGES]


@functools.cache
def whole(size: int) -> bytes:
    """Return an answer in one piece."""
    choice = {"index": 0, "finish_reason": "stop"}

    def made(text: str) -> bytes:
        said = {**choice, "message": {"role": "assistant", "content": text}}
        return json.dumps({**HEAD, "object": "chat.completion", "choices": [said]}).encode()

    return made("x" * max(0, size - len(made(""))))


@functools.cache
def events(size: int) -> tuple[bytes, ...]:
    """Return an answer as server-sent events: of 250 bytes, in a long one of 1000."""
    each = SHORT if size < MANY else LONG
    count = max(1, size // each)
    sizes = [each] * (count - 1) + [size - each * (count - 1) - len(LAST)]
    *first, last = sizes
    return (*map(_event, first), _event(last, reason="stop"), LAST)


def _event(size: int, reason: str | None = None) -> bytes:
    def made(text: str) -> bytes:
        delta = {"role": "assistant", "content": text}
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {**HEAD, "object": "chat.completion.chunk", "choices": [choice]}
        return b"data: %b\n\n" % json.dumps(chunk).encode()

    return made("x" * max(0, size - len(made(""))))
