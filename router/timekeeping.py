"""Puts the parts of the clock together as the `clock:` section says.

Rule: without a `clock:` section, or with an empty list of servers, no NTP packet leaves; the lower
      rungs of the ladder serve all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.clock import kernel
from router.clock.clock import Clock
from router.clock.host import THIS_HOST
from router.clock.keeper import Keeper
from router.clock.stamp import Stamper
from router.clock.sync import Synchroniser

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from router.clock.host import Host
    from router.config.settings import ClockSettings

__all__ = ["timekeeping"]


def timekeeping(
    settings: ClockSettings | None,
    *,
    chance: random.Random,
    note: Callable[[str], None],
    told: Callable[[str, float | None], None],
    signed: bool = False,
    host: Host | None = None,
) -> tuple[Keeper, Synchroniser | None]:
    """Return what keeps the time, and what synchronises it where NTP servers are given.

    Args:
        settings: the `clock:` section, or None.
        chance: the jitter of the poll schedule.
        note: hears what happens to the clock, in words; is quick.
        told: hears by how many seconds an endpoint's clock is off, or None once it is not.
        signed: whether requests are signed, which is taken to cover the time.
        host: the clocks of the machine; by default of this one.
    """
    host = host or THIS_HOST
    kernel.load()
    if settings is None:
        clock = Clock(settle_within=0, host=host, note=note)
        return Keeper(clock, host=host, told=told), None
    wait = 1.0 if settings.servers else 0.0
    clock = Clock(max_error=settings.max_error, settle_within=wait, host=host, note=note)
    keeper = Keeper(
        clock,
        host=host,
        stamper=Stamper(settings, note=note),
        carries_time=settings.header is not None or signed,
        by_server=settings.stamp == "server",
        skew_errors=settings.skew_errors,
        aims=True,
        told=told,
    )
    if not settings.servers:
        return keeper, None
    return keeper, Synchroniser(settings, clock, random=chance, host=host)
