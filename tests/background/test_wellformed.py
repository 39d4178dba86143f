"""Callers' headers are sifted by their names once, and by their values each time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wellformed import LONGEST, MOST_PLANS, Sieve, malformed

ANEW = frozenset({b"host", b"authorization"})

NAMES = st.sampled_from(
    [b"Host", b"Accept", b"AUTHORIZATION", b"Idempotency-Key", b"a\nb", b"a", b"b", b"", b"X Y"]
)
VALUES = st.sampled_from([b"", b" ", b"1", b"a\r\nb", b"\0", b"\xff"])
REQUESTS = st.lists(st.lists(st.tuples(NAMES, VALUES), max_size=5), max_size=12)


def plainly(method: str, headers: list[tuple[bytes, bytes]]) -> object:
    """Return the same without remembering anything."""
    kept = [pair for pair in headers if pair[0].lower() not in ANEW]
    keyed = any(name.lower() == b"idempotency-key" and value.strip() for name, value in kept)
    return kept, keyed, malformed(method, kept)


@given(REQUESTS)
def test_what_was_seen_before_changes_nothing(requests: list[list[tuple[bytes, bytes]]]) -> None:
    sieve = Sieve(ANEW)
    for headers in requests:
        assert sieve.sift("GET", list(headers)) == plainly("GET", headers)


@pytest.mark.parametrize("method", ["GET", "PURGE", "G T", "GET\n"])
def test_a_method_is_one_word(method: str) -> None:
    sieve = Sieve(ANEW)
    for _ in range(2):
        assert sieve.sift(method, [(b"A", b"1")]) == plainly(method, [(b"A", b"1")])


def test_the_callers_list_is_left_as_it_is() -> None:
    headers = [(b"Host", b"a"), (b"A", b"1"), (b"B", b"2")]
    kept, _, _ = Sieve(ANEW).sift("GET", headers)
    kept.append((b"C", b"3"))
    assert headers == [(b"Host", b"a"), (b"A", b"1"), (b"B", b"2")]


def test_what_is_remembered_is_bounded_and_holds_no_value() -> None:
    sieve = Sieve(ANEW)
    for number in range(3 * MOST_PLANS):
        sieve.sift("GET", [(b"X-%d" % number, b"a secret"), (b"Accept", b"*/*")])
    sieve.sift("GET", [(b"X", b"1")] * 1000)
    sieve.sift("GET", [(b"Last", b"a secret")])
    assert len(sieve._plans) <= MOST_PLANS
    assert max(map(len, sieve._plans)) <= 64
    assert "secret" not in str(sieve._plans)


@pytest.mark.parametrize("name", [b"X" * (LONGEST + 1), b"Bearer a secret", b"a\r\nsecret: 1"])
def test_names_that_are_long_or_none_are_not_remembered(name: bytes) -> None:
    sieve = Sieve(ANEW)
    for _ in range(2):
        assert sieve.sift("GET", [(name, b"1")]) == plainly("GET", [(name, b"1")])
    assert not sieve._plans
