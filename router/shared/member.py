"""Who this process is in the fleet, and how many there are.

Rule: the count is what the store said last; it outlives an outage, since that is when it is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
from typing import TYPE_CHECKING

from router.shared.scripts import HELLO
from router.shared.store import PATIENCE, StoreError

if TYPE_CHECKING:
    from router.shared.keys import Keys
    from router.shared.store import Store

__all__ = ["Member"]

MICRO = 1e6
BEATS = 3
"""In the time after which a silent process is forgotten."""


class Member:
    """One process among others."""

    def __init__(self, *, assumed: int = 1, lease: float = 1.0) -> None:
        """`assumed`: processes, until the store knows; a silent one is gone after `lease` s."""
        self.count = assumed
        self.lease = lease
        self._assumed = assumed
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Take a name of one's own."""
        self.name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    async def run(self, store: Store, keys: Keys) -> None:
        """Say that it is there, until cancelled."""
        key = keys.members()
        while True:
            with contextlib.suppress(StoreError):
                args: list[str | float] = [self.name, self.lease * MICRO]
                count = int(await store.call(HELLO, [key], args, timeout=PATIENCE))
                self.count = max(1, count)
            await asyncio.sleep(self.lease / BEATS if store.up else 0.1)
