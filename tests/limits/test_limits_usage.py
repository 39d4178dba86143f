"""What an answer says that its request cost."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from router.limits.usage import Used, tokens_used


def answered(body: Any, *headers: tuple[bytes, bytes]) -> Used:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Used(200, headers, content)


@pytest.mark.parametrize(
    ("usage", "told"),
    [
        ({"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}, (9, 12)),
        ({"input_tokens": 30, "output_tokens": 5, "cache_read_input_tokens": 7}, (30, 5)),
        ({"prompt_tokens": 8, "total_tokens": 8}, (8, 0)),
    ],
)
def test_the_forms_of_openai_and_anthropic_are_read(
    usage: dict[str, int], told: tuple[int, int]
) -> None:
    sent, made = told
    counts = {"input-tokens": sent, "output-tokens": made, "tokens": sent + made}
    assert tokens_used(answered({"id": "x", "usage": usage})) == counts


def test_a_compressed_answer_is_unpacked() -> None:
    body = gzip.compress(json.dumps({"usage": {"input_tokens": 1}}).encode())
    found = tokens_used(answered(body, (b"Content-Encoding", b"gzip")))
    assert found is not None
    assert found["tokens"] == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff", b"[]", b"null", {"usage": None}, {"usage": []}, {"usage": {}}, b"[" * 10**5]
    + [{"usage": {"input_tokens": value}} for value in (-1, True, "9", 1.5, 10**400, None)],
)
def test_what_cannot_be_read_says_nothing(body: Any) -> None:
    assert tokens_used(answered(body)) is None


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"gzip, gzip"])
def test_what_cannot_be_unpacked_says_nothing(encoding: bytes) -> None:
    body = {"usage": {"input_tokens": 1}}
    assert tokens_used(answered(body, (b"content-encoding", encoding))) is None
