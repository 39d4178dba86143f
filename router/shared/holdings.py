"""Who holds what in Redis, for whoever looks; nothing is taken, and no process is asked.

Rule 1: amounts are as each process last said, one exchange ago: what it has spent since then is
        counted still.
Rule 2: names come from Redis, where others may write: of each only harmless characters are kept.
Rule 3: what a key holds that is not ours is told by the key alone, and never by its value; all else
        is shown.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.errors import ServiceError
from router.shared.keys import MAIN, UNFIT, Keys, name_of
from router.shared.scripts import LOOK
from router.shared.store import NONSENSE, PATIENCE, Store, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        amount: units of a rate, or permits; None: what stands there is no amount.
        left: seconds until it loses them, unless it says that it lives; None: it is no time.
        waits: whether it asked for more than there was.
    """

    holder: str
    amount: float | None
    left: float | None
    waits: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """A limit that the fleet keeps, a rate or (without `bound`) permits, and who holds of it."""

    bound: Bound | None
    holdings: tuple[Holding, ...]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Who is there, each with the seconds until it is forgotten, and what they hold.

    `unread`: the keys that hold something that is not ours.
    """

    members: tuple[Holding, ...]
    kept: tuple[Kept, ...]
    unread: tuple[str, ...] = ()


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
    members, unread = await _holdings(store, (keys.members(),))
    kept = []
    for bound, own in _limits(keys, limits):
        holdings, foreign = await _holdings(store, own)
        kept.append(Kept(bound, holdings))
        unread += foreign
    return Fleet(members, tuple(kept), tuple(unread))


def _limits(keys: Keys, limits: Limits) -> Iterator[tuple[Bound | None, tuple[str, ...]]]:
    """Yield each limit with its keys: ends of leases, amounts, the hungry."""
    if limits.concurrency is not None:
        yield None, keys.permits(MAIN)
    for number, bound in enumerate(limits.bounds):
        _, hungry, ends, held, _ = keys.rate(name_of(number, bound))
        yield bound, (ends, held, hungry)


async def _holdings(store: Store, keys: tuple[str, ...]) -> tuple[tuple[Holding, ...], list[str]]:
    """Return who holds what by these keys, and those of them that hold what is not ours.

    Raises:
        StoreError: the store does not answer, or its answer makes no sense.
    """
    answer = await store.call(LOOK, keys, ())
    try:
        foreign, rows = answer
        found = sorted((_read(*row) for row in rows), key=lambda holding: holding.holder)
        unread = {key for key in keys if key.encode() in foreign}
        unread |= {keys[0] for holding in found if holding.left is None}
        unread |= {keys[1] for holding in found if holding.amount is None}
    except (AttributeError, IndexError, TypeError, ValueError):
        raise StoreError(NONSENSE) from None
    return tuple(found), sorted(unread)


def _read(who: bytes, amount: bytes, left: bytes, waits: int) -> Holding:
    seconds = _number(left)
    return Holding(
        holder=UNFIT.sub("_", who.decode(errors="replace"))[:LONGEST_NAME],
        amount=_number(amount),
        left=None if seconds is None else seconds / MICRO,
        waits=bool(waits),
    )


def _number(text: bytes) -> float | None:
    """Return what is no less than nothing, and finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < math.inf else None
