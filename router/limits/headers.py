"""What answers say of a service's own limits, in the header fields that are in use.

    x-ratelimit-limit-requests, -remaining-requests, -reset-requests, and -tokens   (OpenAI)
    x-ratelimit-limit, -remaining, -reset
    anthropic-ratelimit-requests-limit, -remaining, -reset; -tokens, -input-tokens, -output-tokens
    RateLimit-Policy, RateLimit                               (draft-ietf-httpapi-ratelimit-headers)
    RateLimit-Limit, -Remaining, -Reset                       (its drafts before the eighth)

Rule 1: what cannot be read says nothing; a word without what remains, or without when that
        changes, is none, nor is one about a limit of 0.
Rule 2: a reset that is an instant is read against the answer's own Date; without one, against ours.
Rule 3: of two words about one thing the one with less left counts, then the one that lasts longer.
Rule 4: no more than `MOST_FIELDS` fields and `LONGEST` characters of each are looked at.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from operator import itemgetter
from typing import TYPE_CHECKING

from router.rates import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["Word", "said"]

DATE = "date"
LISTS = frozenset({"ratelimit", "ratelimit-policy"})
STRUCTURED = ""
UNDER_WAY = "concurrent-requests"  # a window, which no time resets
MOST_FIELDS = 32
LONGEST = 1000
MOST_NAMES = 64
NAME_OF = itemgetter(0)
INSTANT = 1e8
"""Seconds from which a reset is no duration any more, but an instant since 1970."""
MILLISECONDS = 1e11
FLAT = re.compile(
    r"(?:x-)?ratelimit-(?P<key>limit|remaining|reset)(?:-(?P<of>requests|tokens))?"
    r"|anthropic-ratelimit-(?P<of2>requests|(?:input-|output-)?tokens)-(?P<key2>limit|remaining|reset)"
)
NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,9})?")
PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)")
SECONDS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
ITEM = re.compile(
    r'\s*("[^"\\]{0,100}"|[A-Za-z*][\w:./*-]{0,100})'
    r'((?:\s*;[^,;"]{0,50}(?:"[^"]{0,50}")?){0,10})\s*'
)
PARAMETER = re.compile(r';\s*([a-z*][a-z0-9_.*-]{0,20})="?([^";]{0,50})"?')


@dataclass(frozen=True, slots=True)
class Word:
    """What a service says of one of its limits.

    Attributes:
        of: what it counts, such as requests.
        remaining: what is left.
        reset: seconds until there is more.
        limit: how much there is in all, where it says so.
    """

    of: str
    remaining: float
    reset: float
    limit: float | None = None


def said(headers: Collection[tuple[bytes, bytes]], wall: Callable[[], float]) -> tuple[Word, ...]:
    """Return what an answer says, one word for each thing that is counted.

    Args:
        headers: the answer's, as they came.
        wall: tells the present in seconds since 1970; asked only where nothing else is known.
    """
    if len(headers) <= MOST_NAMES and not _speak(tuple(map(NAME_OF, headers))):
        return ()
    told: dict[str, dict[str, str]] = {}
    date, count = b"", 0
    for name, value in headers:
        kind = _kind(name)
        if kind is None:
            continue
        of, key = kind
        if key == DATE:
            date = value
        elif len(value) <= LONGEST and count < MOST_FIELDS:
            count += 1
            figures = told.setdefault(of, {})
            text, before = value.decode("latin-1").strip(), figures.get(key)
            figures[key] = text if before is None else f"{before}, {text}"
    return _words(told, lambda: _sent(date, wall)) if told else ()


@functools.lru_cache(256)
def _speak(names: tuple[bytes, ...]) -> bool:
    """Return whether any of these fields speaks of limits: most answers have the same ones."""
    kinds = map(_kind, names)
    return any(kind is not None and kind[1] != DATE for kind in kinds)


@functools.lru_cache(1024)
def _kind(name: bytes) -> tuple[str, str] | None:
    """Return what a field counts and which figure it holds; None: it is none of these."""
    lower = name[:LONGEST].lower().decode("latin-1")
    if lower == DATE:
        return "", DATE
    if lower in LISTS:
        return STRUCTURED, lower
    match = FLAT.fullmatch(lower)
    if match is None:
        return None
    return match["of"] or match["of2"] or REQUESTS, match["key"] or match["key2"]


def _words(told: dict[str, dict[str, str]], sent: Callable[[], float]) -> tuple[Word, ...]:
    found = _structured(told.pop(STRUCTURED, {}))
    found += [w for of, figures in told.items() if (w := _word(of, figures, sent)) is not None]
    if len(found) > 1:
        found.sort(key=lambda word: (word.remaining, -word.reset))
    words: dict[str, Word] = {}
    for word in found:
        words.setdefault(word.of, word)
    return tuple(words.values())


def _sent(date: bytes, wall: Callable[[], float]) -> float:
    try:
        return parsedate_to_datetime(date.decode("ascii")).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError, UnicodeDecodeError):
        return wall()


# -- a field for each figure


def _word(of: str, figures: dict[str, str], sent: Callable[[], float]) -> Word | None:
    remaining = _number(figures.get("remaining", ""))
    reset = _reset(figures.get("reset", ""), sent)
    if remaining is None or reset is None:
        return None
    limit = _number(figures.get("limit", ""))
    return None if limit == 0 else Word(of, remaining, reset, limit)


def _number(text: str) -> float | None:
    return float(text) if NUMBER.fullmatch(text) else None


def _reset(text: str, sent: Callable[[], float]) -> float | None:
    """Return seconds from a number, `6m0s`, an instant since 1970 or a date of RFC 3339."""
    number = _number(text)
    if number is not None:
        if number < INSTANT:
            return number
        instant = number if number < MILLISECONDS else number / 1e3
        return max(0.0, instant - sent())
    parts = PART.findall(text)
    if parts and "".join(map("".join, parts)) == text:
        return sum(float(figure) * SECONDS[unit] for figure, unit in parts)
    try:
        instant = datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return max(0.0, instant - sent())


# -- the draft's two fields: lists of structured items


def _structured(fields: dict[str, str]) -> list[Word]:
    policies = _items(fields.get("ratelimit-policy", ""))
    found = []
    for name, told in _items(fields.get("ratelimit", "")).items():
        policy = policies.get(name, {})
        remaining = _number(told.get("r", ""))
        reset = _number(told.get("t", policy.get("w", "")))
        of = policy.get("qu", REQUESTS)
        if remaining is not None and reset is not None and of != UNDER_WAY:
            found.append(Word(of, remaining, reset, _number(policy.get("q", ""))))
    return found


def _items(text: str) -> dict[str, dict[str, str]]:
    """Return the parameters of each item by its name; none where the list cannot be read."""
    found: dict[str, dict[str, str]] = {}
    at = 0
    while at < len(text):
        match = ITEM.match(text, at)
        if match is None or text[match.end() : match.end() + 1] not in ("", ","):
            return {}
        found[match[1].strip('"')] = dict(PARAMETER.findall(match[2]))
        at = match.end() + 1
    return found
