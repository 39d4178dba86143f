"""Who holds what in Redis, for whoever looks; nothing is taken, and no process is asked.

Rule 1: amounts are as each process last said, one exchange ago: what it has spent since then is
        counted still.
Rule 2: names come from Redis, where others may write: of each only harmless characters are kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from router.errors import ServiceError
from router.shared.keys import MAIN, UNFIT, Keys, name_of
from router.shared.scripts import LOOK
from router.shared.store import PATIENCE, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from router.config.settings import Limits, ShareSettings
    from router.rates import Bound

__all__ = ["Fleet", "Holding", "Kept", "look"]

MICRO = 1e6
LOOK_AGAIN = 0.005
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Holding:
    """What one process holds.

    Attributes:
        holder: the process: host, process id, and a word of its own.
        amount: units of a rate, or permits.
        left: seconds until it loses them, unless it says that it lives.
        waits: whether it asked for more than there was.
    """

    holder: str
    amount: float
    left: float
    waits: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A limit that the fleet keeps, a rate or (without `bound`) permits, and who holds of it."""

    bound: Bound | None
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who is there, each with the seconds until it is forgotten, and what they hold."""

    members: tuple[Holding, ...]
    kept: tuple[Kept, ...]


async def look(settings: ShareSettings, limits: Limits) -> Fleet:
    """Ask the store.

    Raises:
        ConfigError: it cannot be asked so.
        ServiceError: it does not answer, or refuses; the text has the kind of trouble only.
    """
    assert settings.url is not None, "a section without one is refused when made"
    store = Store(settings.url, timeout=max(settings.timeout, PATIENCE), name=settings.name)
    running = asyncio.get_running_loop().create_task(store.run())
    try:
        await _connected(store, running)
        return await _ask(store, Keys(settings.name), limits)
    except StoreError as error:
        raise ServiceError(f"share: the store fails: {error}") from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()


async def _connected(store: Store, running: asyncio.Task[None]) -> None:
    while not store.up:
        if running.done():
            running.result()
        if store.trouble is not None:
            raise StoreError(store.trouble)
        await asyncio.sleep(LOOK_AGAIN)


async def _ask(store: Store, keys: Keys, limits: Limits) -> Fleet:
    kept = []
    if limits.concurrency is not None:
        kept.append(Kept(None, await _holdings(store, keys.permits(MAIN))))
    for number, bound in enumerate(limits.bounds):
        _, hungry, ends, held, _ = keys.rate(name_of(number, bound))
        kept.append(Kept(bound, await _holdings(store, (ends, held, hungry))))
    return Fleet(await _holdings(store, (keys.members(),)), tuple(kept))


async def _holdings(store: Store, keys: Sequence[str]) -> tuple[Holding, ...]:
    rows = await store.call(LOOK, keys, ())
    found = [holding for row in rows if (holding := _read(row)) is not None]
    return tuple(sorted(found, key=lambda holding: holding.holder))


def _read(row: Any) -> Holding | None:
    """Return what a row says, if it is one of ours."""
    with contextlib.suppress(TypeError, ValueError, AttributeError):
        who, amount, left, waits = row
        held, seconds = float(amount), float(left) / MICRO
        if math.isfinite(held) and math.isfinite(seconds):
            holder = UNFIT.sub("_", who.decode(errors="replace"))[:LONGEST_NAME]
            return Holding(holder, held, seconds, bool(waits))
    return None
