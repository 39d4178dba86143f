"""Parts of the router that are switched on by name, with the servers that they need.

Rule: what they need runs in this process, is asked at the start and then hardly ever.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import router
from router.testing import NtpServer, TokenServer
from speedlab.routes import config

if TYPE_CHECKING:
    import contextlib

__all__ = ["ALL", "HEDGED", "shared_router"]

ALL = frozenset({"limits", "token", "clock", "deadline"})
"""Everything but hedging; failover is always on."""
HEDGED = ALL | {"hedge"}
SETTLED_WITHIN = 2.0


def shared_router(
    urls: list[str], on: frozenset[str], stack: contextlib.ExitStack
) -> router.Router:
    """Return a running Router with these parts; it ends with the stack."""
    sections: dict[str, Any] = {}
    failover: dict[str, Any] = {}
    if "limits" in on:
        sections["limits"] = router.Limits(rate=router.Rate(1e7, 1.0), concurrency=1000)
    if "token" in on:
        sections["token"] = stack.enter_context(TokenServer()).settings()
    if "clock" in on:
        ntp = stack.enter_context(NtpServer())
        sections["clock"] = router.ClockSettings(servers=(ntp.address,), header="X-Timestamp")
    if "deadline" in on:
        failover["deadline_header"] = "X-Deadline"
    if "hedge" in on:
        failover["hedge"] = router.Hedge()
    made = config(urls, failover=router.Failover(**failover), **sections)
    shared = stack.enter_context(router.Router(made))
    _settle(shared)
    return shared


def _settle(shared: router.Router) -> None:
    """Wait until the clock is sure, where there is one."""
    until = time.monotonic() + SETTLED_WITHIN
    while shared.config.clock is not None and time.monotonic() < until:
        if shared.clock.now().source == "ntp":
            return
        time.sleep(0.01)
