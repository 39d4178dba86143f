"""A process that stood still blames nobody for what it could not see."""

from __future__ import annotations

from stopping import Stopped, stopped

ENDPOINTS = 3
REQUESTS_OF_A_PROBE = 2


def test_a_stop_in_the_middle_of_everything_changes_nothing() -> None:
    """Live through it once more if it was missed: real time on a busy machine has its luck."""
    try:
        check(stopped(2.5))
    except AssertionError:
        check(stopped(2.5))


def check(seen: Stopped) -> None:
    assert seen.errors == []
    assert seen.before == ("near", "middle", "far")
    assert seen.health == {"healthy"}
    assert seen.orders == {seen.before}
    assert seen.requests > 0
    # One round; the best may be looked at once more, and of a probe under way a half is left.
    assert seen.probes <= (ENDPOINTS + 1) * REQUESTS_OF_A_PROBE + 1
    assert 1 <= seen.tokens <= 2
    assert seen.expired == 0
