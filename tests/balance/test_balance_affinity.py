from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from balance_samples import (
    FAILOVER,
    START,
    choose,
    chosen,
    eject,
    endpoint,
    fail,
    measure,
    placed,
    pool_of,
    succeed,
)

from router.balance.affinity import MOST_PINS, Affinity
from router.balance.decision import Why
from router.options import Options

if TYPE_CHECKING:
    from router.balance.pool import EndpointPool

CHAT = Options(affinity="chat")
START_OVER = START + 60


def pinned_to_b(*endpoints: str) -> EndpointPool:
    """Return a pool whose conversation `chat` is at `b`, although `a` is nearer."""
    pool = pool_of(*(endpoints or ("a", "b", "c")))
    pool.set_drained("a", drained=True)
    assert chosen(pool, options=CHAT) == "b"
    pool.set_drained("a", drained=False)
    return pool


def test_a_conversation_stays_where_it_was_although_another_is_nearer() -> None:
    pool = pinned_to_b()
    assert chosen(pool) == "a"
    for later in range(0, 3600, 600):
        choice = choose(pool, now=START + later, options=CHAT)
        assert (choice.endpoint.name, choice.decision().why) == ("b", Why.PINNED)
        choice.give_back()
    reason = choice.decision().reason
    assert reason == "the conversation was here before, and it is well (20 ms expected)"


def test_conversations_are_told_apart() -> None:
    pool = pinned_to_b()
    assert chosen(pool, options=Options(affinity="another")) == "a"
    assert chosen(pool, options=CHAT) == "b"


def test_the_first_request_of_a_conversation_goes_to_the_best() -> None:
    choice = choose(pool_of("a", "b"), options=CHAT)
    assert (choice.endpoint.name, choice.decision().why) == ("a", Why.LEAST)


def crowd(pool: EndpointPool) -> None:
    for _ in range(40):
        choose(pool, options=Options(regions="b"))


def doubt(pool: EndpointPool) -> None:
    fail(pool, "b", 2)


GIVING_WAY = {
    "ejection": lambda pool: eject(pool, "b"),
    "drain": lambda pool: pool.set_drained("b", drained=True),
    "a wish to be left alone": lambda pool: pool.cool(choose(pool, options=CHAT), 3600, now=START),
    "a crowd": crowd,
    "doubt": doubt,
    "a reload without it": lambda pool: pool.update(placed("a", "c"), FAILOVER),
}


@pytest.mark.parametrize("cause", GIVING_WAY)
def test_a_pin_gives_way_and_the_conversation_stays_in_the_new_place(cause: str) -> None:
    pool = pinned_to_b()
    GIVING_WAY[cause](pool)  # type: ignore[no-untyped-call]
    assert chosen(pool, options=CHAT) == "a"
    measure(pool, "c", 0.001, now=START_OVER)
    if cause == "ejection":
        succeed(pool, "b", now=START_OVER)
    assert chosen(pool, now=START_OVER) == "c"
    assert chosen(pool, now=START_OVER, options=CHAT) == "a", "it moved again"


def test_a_constraint_comes_before_a_pin() -> None:
    pool = pinned_to_b()
    eu = Options(affinity="chat", regions=["a", "c"])
    assert chosen(pool, options=eu) == "a"
    assert chosen(pool, options=CHAT) == "a"


def test_a_request_that_was_at_its_pin_goes_on_elsewhere() -> None:
    pool = pinned_to_b()
    assert chosen(pool, "b", options=CHAT) == "a"
    assert chosen(pool, options=CHAT) == "a"


def test_too_little_time_for_the_pinned_endpoint_sends_it_elsewhere() -> None:
    pool = pinned_to_b()
    measure(pool, "b", 0.2)
    assert chosen(pool, options=CHAT, within=0.1) == "a"


def test_a_conversation_stays_in_the_tier_that_it_spilt_to() -> None:
    pool = pool_of("a", endpoint("b", tier=2))
    fail(pool, "a", 2)
    assert chosen(pool, options=CHAT) == "b"
    succeed(pool, "a")
    succeed(pool, "a")
    assert chosen(pool) == "a"
    assert chosen(pool, options=CHAT) == "b"


def test_the_memory_is_bounded_and_forgets_who_was_longest_not_here() -> None:
    affinity, (first, *_) = Affinity(), pool_of("a")._roster.states.values()
    affinity.pin("oldest", first)
    affinity.pin("second", first)
    for number in range(MOST_PINS - 2):
        affinity.pin(f"conversation {number}", first)
    assert affinity.endpoint("oldest") == "a"  # and so it was here
    affinity.pin("one more", first)
    assert (affinity.endpoint("oldest"), affinity.endpoint("second")) == ("a", None)


def test_affinity_outlives_a_reload_and_a_fork() -> None:
    pool = pinned_to_b()
    pool.update(placed("a", "b", "c"), FAILOVER)
    assert chosen(pool, options=CHAT) == "b"
    pool.reset_after_fork()
    assert chosen(pool, options=CHAT) == "b"
