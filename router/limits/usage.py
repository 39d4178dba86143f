"""What a request cost in the end: told by its caller, or found in its answer (`Usage`).

A cost that nobody knows before, such as tokens, is reserved as an estimate and settled afterwards.

Rule 1: `tokens_used` reads what the APIs of OpenAI and Anthropic say under `usage`, and those who
        speak like them; what it cannot read says nothing, and the reserved cost stays.
Rule 2: no more than `LARGEST` bytes of an answer are unpacked and parsed.
Rule 3: nothing of an answer is kept.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

__all__ = ["Usage", "Used", "tokens_used"]

LARGEST = 8 * 1024 * 1024
ANY_ZLIB = zlib.MAX_WBITS | 32
MOST = 10**8
ZIPPED = frozenset({b"gzip", b"x-gzip", b"deflate"})
PLAIN = frozenset({b"", b"identity"})
IN = ("input_tokens", "prompt_tokens")
OUT = ("output_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class Used:
    """An answer that was read: its status, its headers, and its body as it came."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    content: bytes = field(repr=False)


Usage: TypeAlias = Callable[[Used], "float | Mapping[str, float] | None"]
"""Returns what a request cost, as `Options.cost`, or None where the answer does not say."""


def tokens_used(answer: Used) -> Mapping[str, float] | None:
    """Return the tokens that an answer in JSON says were used, by kind and in all."""
    try:
        usage = json.loads(_unpacked(answer))["usage"]
        sent, made = _first(usage, IN), _first(usage, OUT)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error):
        return None
    if sent is None and made is None:
        return None
    counts = {"input-tokens": sent or 0.0, "output-tokens": made or 0.0}
    return {**counts, "tokens": sum(counts.values())}


def _unpacked(answer: Used) -> bytes:
    encodings = [v.strip().lower() for n, v in answer.headers if n.lower() == b"content-encoding"]
    encoding = b",".join(encodings)
    if encoding in ZIPPED:
        return zlib.decompressobj(ANY_ZLIB).decompress(answer.content, LARGEST)
    if encoding not in PLAIN or len(answer.content) > LARGEST:
        raise ValueError("this body is not looked at")
    return answer.content


def _first(usage: Any, names: tuple[str, ...]) -> float | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST:
            return float(value)
    return None
