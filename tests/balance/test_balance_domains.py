from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from balance_samples import (
    START,
    choose,
    chosen,
    eject,
    endpoint,
    fail,
    health,
    names,
    pool_of,
    succeed,
)
from hypothesis import given
from hypothesis import strategies as st

from router.balance.domains import Domains
from router.options import Options

if TYPE_CHECKING:
    from router.balance.choice import Choice

ALIKE = "every endpoint fails alike, so none is left out for it"


def story(domains: Domains, events: str, *, population: int) -> list[dict[str, int]]:
    """Play failures (`a` to `e`: whose; in capitals: with other words) and answers (`.`)."""
    absolved = []
    for event in events:
        if event == ".":
            domains.answered()
        else:
            words = "refused" if event.islower() else "reset"
            absolved.append(domains.failed(event.lower(), words, population=population))
    return absolved


@pytest.mark.parametrize(
    ("population", "events", "last", "common"),
    [
        (1, "aaaaaa", {}, None),  # nobody to compare with
        (2, "aaaaaa", {}, None),
        (2, "ab", {"a": 1, "b": 1}, "refused"),
        (2, "aaab", {"a": 3, "b": 1}, "refused"),
        (2, "aaaba", {"a": 1}, "refused"),  # each failure is taken back once
        (2, "aB", {}, None),  # not alike
        (2, "aBAb", {"a": 1, "b": 1}, "refused"),  # two faults that all have
        (2, "a.b", {}, None),  # an answer between them: each is its own
        (2, "ab.a", {}, None),  # an answer ends it
        (2, "ab.ab", {"a": 1, "b": 1}, "refused"),
        (3, "ab", {}, None),
        (3, "abc", {"a": 1, "b": 1, "c": 1}, "refused"),
        (10_000, "abc", {}, None),
        (10_000, "abcd", {"a": 1, "b": 1, "c": 1, "d": 1}, "refused"),
        (10_000, "abcde", {"e": 1}, "refused"),
        (10_000, "a.b.c.d.e", {}, None),
    ],
)
def test_a_fault_is_common_once_nobody_is_left_to_compare_with(
    population: int, events: str, last: dict[str, int], common: str | None
) -> None:
    domains = Domains()
    assert story(domains, events, population=population)[-1] == last
    assert domains.common == common
    assert domains.everybody or not last or population > 4


def test_an_answer_ends_the_common_fault() -> None:
    domains = Domains()
    story(domains, "ab", population=2)
    domains.answered()
    assert domains.common is None


@given(st.text("abcdeABCDE.", max_size=60), st.integers(1, 6))
def test_no_more_is_taken_back_than_failed(events: str, population: int) -> None:
    absolved = sum(sum(a.values()) for a in story(Domains(), events, population=population))
    assert absolved <= len(events.replace(".", ""))
    if population == 1:
        assert absolved == 0


# -- and what the pool makes of it


def test_of_two_endpoints_that_fail_alike_none_is_ejected() -> None:
    told: list[str] = []
    pool = pool_of("a", "b", note=told.append)
    for _ in range(20):
        for name in "ab":
            fail(pool, name, words="the name does not resolve")
    assert health(pool) == {"a": "healthy", "b": "healthy"}
    assert told == [f"{ALIKE}: the name does not resolve"]
    assert names(pool) == ["a", "b"]
    assert [pool._roster.states[name].odds(START) for name in "ab"] == [-7.0, -7.0]


def test_who_was_ejected_before_the_others_failed_is_back_as_well() -> None:
    told: list[str] = []
    pool = pool_of("a", "b", note=told.append)
    fail(pool, "a", 5, words="refused")
    assert health(pool)["a"] == "ejected"
    fail(pool, "b", words="refused")
    assert health(pool) == {"a": "healthy", "b": "healthy"}
    assert told[1:] == [f"{ALIKE}: refused"]


def test_four_of_ten_thousand_that_fail_alike_are_enough() -> None:
    pool = pool_of(*(f"e{n}" for n in range(10_000)))
    for _ in range(9):
        for name in ("e1", "e2", "e3", "e4"):
            fail(pool, name, words="refused")
    assert not any(state.health.down for state in pool._roster.states.values())
    assert choose(pool).endpoint.name == "e0"


def test_once_somebody_answered_failures_are_the_endpoints_own_again() -> None:
    pool = pool_of("a", "b")
    for name in "ab":
        fail(pool, name, 4, words="refused")
    succeed(pool, "b")
    fail(pool, "a", 5, words="refused")
    assert health(pool) == {"a": "ejected", "b": "healthy"}


def test_one_dead_among_the_living_is_ejected() -> None:
    pool = pool_of("a", "b", "c")
    for step in range(5):
        fail(pool, "a", now=START + step, words="refused")
        succeed(pool, "bc"[step % 2], now=START + step)
    assert health(pool, START + 4)["a"] == "ejected"


def test_endpoints_that_fail_each_in_their_own_way_are_ejected() -> None:
    pool = pool_of("a", "b", "c")
    eject(pool, "ab")
    assert health(pool) == {"a": "ejected", "b": "ejected", "c": "healthy"}


def test_a_drained_endpoint_is_nobody_to_compare_with() -> None:
    pool = pool_of("a", "b", "c")
    pool.set_drained("c", drained=True)
    fail(pool, "a", 5, words="refused")
    fail(pool, "b", 5, words="refused")
    assert health(pool) == {"a": "healthy", "b": "healthy", "c": "drained"}


def test_a_request_that_failed_everywhere_is_taken_back_where_it_was() -> None:
    pool = pool_of("a", "b", "c", endpoint("d", tier=2))
    held: list[Choice] = []
    for name in "abc":
        choice = choose(pool, *(c.endpoint.name for c in held))
        assert choice.endpoint.name == name
        pool.failed(choice, "answered 500", reached=True, now=START)
        held.append(choice)
    for choice in held:
        pool.absolve(choice, now=START)
        choice.give_back()
    told = {row.name: row.trouble for row in pool.ranking(START)}
    assert told == {"a": "answered 500", "b": "answered 500", "c": "answered 500", "d": None}
    states = pool._roster.states
    assert [states[name].health.failures for name in "abcd"] == [0, 0, 0, 0]
    doubts = [states[name].odds(START) for name in "abcd"]
    assert doubts == [pytest.approx(-3.088, abs=1e-3)] * 3 + [-7.0]


def test_what_a_common_fault_took_back_is_not_taken_back_again() -> None:
    pool = pool_of("a", "b")
    fail(pool, "a", 2, words="its own")
    held = choose(pool, options=Options(regions="a"))
    pool.failed(held, "refused", reached=False, now=START)
    fail(pool, "b", words="refused")
    state = pool._roster.states["a"]
    assert (state.health.failures, pool._domains.common) == (2, "refused")
    pool.absolve(held, now=START)
    assert state.health.failures == 2


@pytest.mark.parametrize(("of", "first"), [("abc", "a"), ("abcd", "a"), ("abcde", "e")])
def test_while_somebody_is_left_who_did_not_fail_so_he_is_asked_first(of: str, first: str) -> None:
    pool = pool_of(*of)
    for _ in range(3):
        for name in of[:4]:
            fail(pool, name, words="answered 503")
    assert set(health(pool).values()) == {"healthy"}
    assert chosen(pool) == first


def test_the_fault_is_told_once_a_minute_at_most() -> None:
    told: list[str] = []
    pool = pool_of("a", "b", note=told.append)
    for second in range(120):
        for name in "ab":
            fail(pool, name, now=START + second, words="answered 500")
        succeed(pool, "a", now=START + second)
    assert len(told) == 2


def test_a_failure_at_an_endpoint_that_is_gone_is_nobodys_fault() -> None:
    pool = pool_of("a", "b")
    held = choose(pool)
    pool.update({}, pool._failover)
    pool.failed(held, "refused", reached=False, now=START)
    pool.absolve(held, now=START)
    assert names(pool) == []
