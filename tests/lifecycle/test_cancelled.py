"""A cancelled request leaves no permit, no connection and no slot of a pool behind (F35)."""

from __future__ import annotations

import asyncio
from typing import Literal

import pytest
from cancelling import cancelled

REQUESTS = {"permits": 1000, "connections": 300}


@pytest.mark.parametrize("of", ["permits", "connections"])
@pytest.mark.parametrize("pool", [10, 100])
@pytest.mark.parametrize("family", ["httpx", "httpx2"])
@pytest.mark.untraced
def test_what_is_cancelled_leaves_nothing_behind(
    family: str, pool: int, of: Literal["permits", "connections"]
) -> None:
    left = asyncio.run(cancelled(family, requests=REQUESTS[of], pool=pool, of=of))
    assert (left.permits, left.in_flight, left.slots) == (0, 0, 0)
    assert left.good == 100
    assert left.cut > REQUESTS[of] / 10
