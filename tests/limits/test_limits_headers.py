"""What answers say of limits: the header fields in use, and what is none of them."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.limits.headers import Word, said

NOW = 1_800_000_000.0
DATE = format_datetime(datetime.fromtimestamp(NOW - 3600, UTC), usegmt=True)  # its clock is off


def words(*lines: str) -> dict[str, tuple[float, float]]:
    """Return what is left and when that changes, by what is counted."""
    pairs = [line.split(": ", 1) for line in lines]
    headers = [(name.encode(), value.encode("latin-1")) for name, value in pairs]
    return {word.of: (word.remaining, word.reset) for word in said(headers, lambda: NOW)}


def at(seconds: float, date: float = NOW) -> str:
    return datetime.fromtimestamp(date + seconds, UTC).isoformat().replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (
            [
                "x-ratelimit-limit-requests: 60",
                "x-ratelimit-remaining-requests: 59",
                "x-ratelimit-reset-requests: 1s",
                "X-RateLimit-Limit-Tokens: 150000",
                "X-RateLimit-Remaining-Tokens: 149984",
                "X-RateLimit-Reset-Tokens: 6m0s",
            ],
            {"requests": (59, 1), "tokens": (149984, 360)},
        ),
        (
            ["x-ratelimit-remaining-requests: 0", "x-ratelimit-reset-requests: 7.66s"],
            {"requests": (0, 7.66)},
        ),
        (
            ["x-ratelimit-remaining-tokens: 1", "x-ratelimit-reset-tokens: 1h0m5s20ms"],
            {"tokens": (1, 3605.02)},
        ),
        (
            [
                f"anthropic-ratelimit-requests-reset: {at(30)}",
                "anthropic-ratelimit-requests-limit: 50",
                "anthropic-ratelimit-requests-remaining: 49",
                f"anthropic-ratelimit-input-tokens-reset: {at(-5)}",
                "anthropic-ratelimit-input-tokens-remaining: 0",
                "anthropic-ratelimit-output-tokens-remaining: 8000",
            ],
            {"requests": (49, 30), "input-tokens": (0, 0)},
        ),
        (
            [
                f"Date: {DATE}",
                f"anthropic-ratelimit-tokens-reset: {at(40, NOW - 3600)}",
                "anthropic-ratelimit-tokens-remaining: 3",
            ],
            {"tokens": (3, 40)},
        ),
        (
            [f"x-ratelimit-reset: {NOW + 90:.0f}", "x-ratelimit-remaining: 12"],
            {"requests": (12, 90)},
        ),
        (
            [f"x-ratelimit-reset: {(NOW + 90) * 1e3:.0f}", "x-ratelimit-remaining: 12"],
            {"requests": (12, 90)},
        ),
        (
            ["RateLimit-Limit: 100", "RateLimit-Remaining: 50", "RateLimit-Reset: 50"],
            {"requests": (50, 50)},
        ),
        (
            ['RateLimit-Policy: "default";q=100;w=60', 'RateLimit: "default";r=50;t=30'],
            {"requests": (50, 30)},
        ),
        (
            [
                'RateLimit-Policy: "burst";q=100;w=60, "daily";q=1000;w=86400',
                'RateLimit: "burst";r=50;t=30, "daily";r=7;t=4000',
            ],
            {"requests": (7, 4000)},
        ),
        (
            [
                'RateLimit-Policy: "a";q=10;w=1;pk=:abc=:',
                'RateLimit-Policy: "b";q=99;w=7;qu="tokens"',
                'RateLimit: "a";r=0',
                'RateLimit: "b" ; r=5',
            ],
            {"requests": (0, 1), "tokens": (5, 7)},
        ),
        (
            ['RateLimit-Policy: "x";q=9;w=1;qu="concurrent-requests"', 'RateLimit: "x";r=0;t=9'],
            {},
        ),
        (['RateLimit: "unknown";r=4'], {}),
        (["RateLimit: ;;;"], {}),
        (['RateLimit: "a";r=1;t=1 "b"'], {}),
        (["x-ratelimit-remaining-requests: 0"], {}),
        (["RateLimit-Limit: 0", "RateLimit-Remaining: 0", "RateLimit-Reset: 9"], {}),
        (["x-ratelimit-reset-requests: 1s"], {}),
        (["x-ratelimit-remaining: -1", "x-ratelimit-reset: 5"], {}),
        (["x-ratelimit-remaining: 0", "x-ratelimit-reset: soon"], {}),
        (["x-ratelimit-remaining: 0", "x-ratelimit-reset: 5y"], {}),
        (["x-ratelimit-remaining: nan", "x-ratelimit-reset: inf"], {}),
        (["x-ratelimit-remaining: 0", "x-ratelimit-reset: 9999-99-99T00:00:00Z"], {}),
        (["Content-Type: text/plain", f"Date: {DATE}"], {}),
    ],
)
def test_each_form_is_read_and_nothing_else(
    lines: list[str], told: dict[str, tuple[float, float]]
) -> None:
    found = words(*lines)
    assert found.keys() == told.keys()
    for of, (remaining, reset) in told.items():
        assert found[of] == pytest.approx((remaining, reset), abs=1e-3)


def test_the_limit_is_told_where_it_is_said() -> None:
    headers = [
        (b"ratelimit-policy", b'"default";q=100;w=60'),
        (b"ratelimit", b'"default";r=50;t=30'),
    ]
    assert said(headers, lambda: NOW) == (Word("requests", 50, 30, 100),)


FIELDS = [
    b"ratelimit",
    b"RateLimit-Policy",
    b"x-ratelimit-reset",
    b"x-ratelimit-remaining",
    b"x-ratelimit-limit-tokens",
    b"anthropic-ratelimit-tokens-reset",
    b"date",
]
LONG = ["x" * 10**6, '"a"' + ";r=1 " * 190, '"a";' + " " * 990, ";" * 999]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(FIELDS),
            st.one_of(
                st.binary(max_size=40),
                st.text('";=, rtqw0159:abc*\\', max_size=60).map(str.encode),
            ),
        ),
        max_size=8,
    )
)
def test_whatever_stands_there_is_a_word_or_none(headers: list[tuple[bytes, bytes]]) -> None:
    for word in said(headers, lambda: NOW):
        assert word.remaining >= 0
        assert word.reset >= 0


@pytest.mark.parametrize("text", LONG)
def test_a_long_field_takes_no_time(text: str) -> None:
    assert words(f"RateLimit: {text}") == {}
