from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from balance_samples import START, state

from router.balance.choice import Cooling
from router.balance.resort import last_resort
from router.errors import DeadlineError, NoEndpointError

if TYPE_CHECKING:
    from collections.abc import Collection

    from router.balance.state import State


def states(facts: str) -> list[State]:
    """Return endpoints 100, 200, 300 … ms away, each in the state its letter says.

    w: working, e: ejected, t: on trial, c: cooling (10 s, 20 s, …), d: drained, 2: of tier 2.
    """
    made = []
    for place, fact in enumerate(facts, 1):
        one = state("abcdef"[place - 1], place / 10, tier=2 if fact == "2" else 1)
        one.drained = fact == "d"
        one.cooling_until = START + 10 * place if fact == "c" else 0.0
        if fact in "et":
            one.health.cause = "failing"
            one.health.ejected_until = START + (5 if fact == "e" else -1)
        one.reprice(START, 0.0)
        made.append(one)
    return made


def resort(
    members: list[State], tried: Collection[str] = (), *, within: float = 9.0, now: float = START
) -> str:
    found = last_resort(
        members,
        tried,
        now=now,
        within=within,
        otherwise=lambda drained: "drained" if drained else "nobody",
    )
    return found.endpoint.name


@pytest.mark.parametrize(
    ("facts", "tried", "name"),
    [
        ("www", "", "a"),
        ("www", "a", "b"),
        ("www", "abc", "a"),  # all were tried: the nearest again
        ("ewe", "", "b"),
        ("ewe", "b", "b"),  # working and tried before ejected and fresh
        ("eee", "a", "b"),
        ("eee", "abc", "a"),
        ("etw", "", "b"),  # who is on trial is asked like who works
        ("cwd", "b", "b"),
        ("dde", "", "c"),
        ("cce", "c", "c"),
        ("2w", "", "b"),  # tiers come before cost
        ("2w", "b", "a"),
        ("2e", "", "a"),
    ],
)
def test_working_before_ejected_and_fresh_before_tried_and_near_before_far(
    facts: str, tried: str, name: str
) -> None:
    assert resort(states(facts), tried) == name


@pytest.mark.parametrize(("facts", "words"), [("", "nobody"), ("d", "drained"), ("dd", "drained")])
def test_where_there_is_nobody_it_is_said_why(facts: str, words: str) -> None:
    with pytest.raises(NoEndpointError) as caught:
        resort(states(facts))
    assert str(caught.value) == words


@pytest.mark.parametrize(("facts", "until"), [("c", 10), ("ccc", 10), ("dcc", 20)])
def test_where_all_asked_to_be_left_alone_the_first_that_did_not_is_waited_for(
    facts: str, until: float
) -> None:
    with pytest.raises(Cooling) as cooling:
        resort(states(facts))
    assert cooling.value.until == START + until


@pytest.mark.parametrize(("within", "name"), [(0.25, "b"), (0.2, "b"), (0.35, "a")])
def test_who_cannot_answer_in_time_is_left_out(within: float, name: str) -> None:
    members = states("ww")
    members[0].least_rtt, members[1].least_rtt = 0.3, 0.2
    assert resort(members, within=within) == name


def test_where_nobody_is_near_enough_that_is_said_before_anything_is_sent() -> None:
    members = states("wwc")
    members[0].least_rtt, members[1].least_rtt = 0.3, 0.2
    with pytest.raises(DeadlineError) as caught:
        resort(members, within=0.1)
    assert str(caught.value) == (
        "the nearest endpoint needs 200 ms there and back, and 100 ms are left: nothing was sent"
    )
