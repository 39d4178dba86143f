"""What an attempt may take, and what the server hears of it, by all four clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from four_clients import KINDS, Asker, timed

import router
from router.testing import Regions
from router.testing.faults import HangConnect, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = 1.5


@pytest.fixture
def two() -> Iterator[Regions]:
    with Regions(a=0.0, b=0.0) as regions:
        yield regions


def asking(kind: str, regions: Regions, **failover: Any) -> Asker:
    settings = router.Failover(backoff=router.Backoff(base=0.01), **failover)
    return Asker(kind, regions.config(probe=router.Probe(enabled=False), failover=settings))


@pytest.mark.parametrize("own", [None, 30.0, 0.1])
@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_may_take_its_own_time_or_the_callers_if_that_is_less(
    kind: str, own: float | None, two: Regions
) -> None:
    with asking(kind, two, connect_timeout=0.2) as asker:
        first = asker.router.explain().chosen.row.name
        two[first].fault = HangConnect()
        with timed(0.1 if own == 0.1 else 0.2, BUSY):
            response = asker.get(timeout=own)
        assert response.extensions["router"].endpoint != first
        assert response.extensions["router"].attempts[0].verdict == "never sent"
        asker.settle()


@pytest.mark.parametrize("kind", KINDS)
def test_the_servers_hear_how_many_milliseconds_are_left_and_not_what_the_caller_wrote(
    kind: str, two: Regions
) -> None:
    with asking(kind, two, deadline_header="X-Time-Left", attempt_timeout=0.3) as asker:
        first = asker.router.explain().chosen.row.name
        two[first].fault = Silent(executed=True)
        options = {"router": router.Options(deadline=5.0)}
        response = asker.get(headers={"x-time-left": "9999999"}, extensions=options)
        assert response.status_code == 200
        asker.settle()
    told = [value for r in two.received for name, value in pairs(r) if name == "x-time-left"]
    assert len(told) == len(two.received) == 2
    earlier, later = map(int, told)
    assert 4000 < earlier <= 5000
    assert 3000 < later <= earlier - 200


def pairs(request: Any) -> list[tuple[str, str]]:
    return [(name.lower(), value) for name, value in request.headers.items()]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("kind", KINDS)
def test_when_time_is_over_it_is_over(kind: str, method: str, two: Regions) -> None:
    two["a"].fault = two["b"].fault = Silent()
    with asking(kind, two) as asker:
        with timed(0.4, BUSY), pytest.raises(router.DeadlineError) as caught:
            asker.request(method, extensions={"router": router.Options(deadline=0.4)})
        assert caught.value.maybe_processed
        asker.settle()
