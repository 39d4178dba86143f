"""What all tests share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.testing import Regions

pytest_plugins = ["pytest_region_router"]


def absent(peer: str) -> None:
    """Skip loudly where a peer is missing; in CI that is a failure."""
    message = f"{peer} is not installed: this test did not run"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def regions(router_regions: Callable[..., Regions]) -> Regions:
    """Three regions at 5, 30 and 80 ms."""
    return router_regions(near=0.005, middle=0.030, far=0.080)
