"""What outcomes mean, what may be repeated, and how long to wait."""

from __future__ import annotations

import random

import pytest

from router.config import Backoff
from router.failover.backoff import jittered
from router.failover.later import retry_after
from router.failover.verdict import (
    Verdict,
    blames_endpoint,
    may_repeat,
    verdict_of_status,
    verdicts,
)

MEANINGS = [
    # status, verdict, counts against the endpoint
    (200, "delivered", False),
    (302, "delivered", False),
    (400, "delivered", False),
    (401, "unauthorised", False),
    (403, "delivered", False),
    (408, "failed", True),
    (409, "delivered", False),
    (412, "delivered", False),
    (421, "rejected", False),
    (422, "delivered", False),
    (425, "failed", False),
    (428, "precondition required", False),
    (429, "rejected", False),
    (500, "failed", True),
    (501, "delivered", False),
    (502, "failed", True),
    (503, "rejected", True),
    (504, "failed", True),
    (522, "failed", True),
    (529, "rejected", True),
]


@pytest.mark.parametrize(("status", "verdict", "blamed"), MEANINGS)
def test_a_status_means(status: int, verdict: str, blamed: bool) -> None:  # noqa: FBT001 - a table
    found = verdict_of_status(status)
    assert found.value == verdict
    assert blames_endpoint(found, status) is blamed


def test_the_users_word_on_a_status_is_the_last() -> None:
    known = verdicts([(409, "failed"), (503, "delivered"), (599, "rejected")])
    told = {status: verdict_of_status(status, known).value for status in (409, 503, 599, 500, 200)}
    assert told == {
        409: "failed",
        503: "delivered",
        599: "rejected",
        500: "failed",
        200: "delivered",
    }
    assert not blames_endpoint(Verdict.FAILED, 409), "it is the caller's conflict all the same"


REPEATS = [
    # verdict, method, keyed, safe, rejected, always
    ("NEVER_SENT", "POST", False, (True, True, True)),
    ("REJECTED", "POST", False, (False, True, True)),
    ("FAILED", "POST", False, (False, False, True)),
    ("UNCERTAIN", "POST", False, (False, False, True)),
    ("UNCERTAIN", "POST", True, (True, True, True)),
    ("UNCERTAIN", "GET", False, (True, True, True)),
    ("FAILED", "DELETE", False, (True, True, True)),
    ("STALE", "GET", False, (True, True, True)),
    ("STALE", "POST", False, (False, False, True)),
    ("UNCERTAIN", "PATCH", False, (False, False, True)),
    ("DELIVERED", "GET", True, (False, False, False)),
    ("OURS", "GET", True, (False, False, False)),
]


@pytest.mark.parametrize(("verdict", "method", "keyed", "allowed"), REPEATS)
def test_a_request_may_be_repeated(
    verdict: str,
    method: str,
    keyed: bool,  # noqa: FBT001 - a table
    allowed: tuple[bool, bool, bool],
) -> None:
    found = tuple(
        may_repeat(Verdict[verdict], method=method, keyed=keyed, repeat=repeat)
        for repeat in ("safe", "rejected", "always")
    )
    assert found == allowed


SENT = (b"Date", b"Sun, 22 Nov 2026 12:00:00 GMT")
WALL = 1_795_348_790.0  # ten seconds before that
WAITS: list[tuple[list[tuple[bytes, bytes]], float | None]] = [
    ([], None),
    ([(b"Retry-After", b"20")], 20.0),
    ([(b"Retry-After", b"0")], None),
    ([(b"retry-after", b" 0.5 ")], 0.5),
    ([(b"Retry-After-Ms", b"250")], 0.25),
    ([(b"Retry-After", b"1"), (b"retry-after-ms", b"333.5")], 0.3335),
    ([(b"Retry-After", b"2"), (b"retry-after-ms", b"soon")], 2.0),
    ([(b"Retry-After", b"Sun, 22 Nov 2026 12:00:30 GMT"), SENT], 30.0),
    ([(b"Retry-After", b"Sun, 22 Nov 2026 11:00:00 GMT"), SENT], None),
    ([(b"Retry-After", b"Sun, 22 Nov 2026 12:00:30 GMT")], 40.0),
    ([(b"Retry-After", b"Sun, 22 Nov 2026 12:00:30 GMT"), (b"Date", b"?")], 40.0),
    ([(b"Retry-After", b"-5")], None),
    ([(b"Retry-After", b"1e9")], None),
    ([(b"Retry-After", b"1_0")], None),
    ([(b"Retry-After", b"31536000")], 31536000.0),
    ([(b"Retry-After", b"9" * 40)], 1e9),
    ([(b"Retry-After", b"9" * 101)], None),
    ([(b"Retry-After", b"inf")], None),
    ([(b"Retry-After", b"soon")], None),
    ([(b"Retry-After", b"\xff"), SENT], None),
    ([(b"Retry-After", b"Sun, 99 Nov 2026 12:00:30 GMT"), SENT], None),
]


@pytest.mark.parametrize(("headers", "seconds"), WAITS)
def test_retry_after(headers: list[tuple[bytes, bytes]], seconds: float | None) -> None:
    assert retry_after(headers, lambda: WALL) == seconds


def test_the_backoff_is_full_jitter_below_a_doubling_ceiling() -> None:
    chance = random.Random(7)
    backoff = Backoff(base=1.0, factor=2.0, cap=30.0)
    for retries, ceiling in [(0, 1.0), (1, 2.0), (4, 16.0), (5, 30.0), (5000, 30.0)]:
        waits = [jittered(backoff, retries=retries, chance=chance) for _ in range(2000)]
        assert 0 <= min(waits) < 0.02 * ceiling
        assert 0.98 * ceiling < max(waits) <= ceiling
