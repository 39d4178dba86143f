"""What one Router shares with others: made from `share:`, run in the background.

Rule 1: a job that breaks breaks no other, and is begun again.
Rule 2: it wires. Where it is not configured nothing of this package is loaded, nor redis-py.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from router.shared.cipher import Cipher
from router.shared.connect import load
from router.shared.gossip import Gossip
from router.shared.keys import MAIN, Keys, name_of
from router.shared.member import Member
from router.shared.permits import SharedPermits
from router.shared.rate import SharedRate
from router.shared.store import Store
from router.shared.token import SharedToken, token_part
from router.shared.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from router.config.settings import ShareSettings, TokenSettings
    from router.rates import Bound
    from router.shared.gossip import Hearing
    from router.shared.turns import Probed
    from router.units import Rate

    class Pool(Hearing, Probed): ...


__all__ = ["Sharing"]

TURNS = 3.0
"""How many token requests' time a process waits for another's."""
BEGUN_AGAIN = 1.0
"""Seconds after which a job that broke is begun again."""


class Sharing:
    """One process's part in the fleet."""

    def __init__(
        self,
        settings: ShareSettings,
        *,
        place: str | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the settings; `place` is where this host is, if that is known."""
        self._settings, self._note = settings, note
        self._vantage = settings.vantage or place or socket.gethostname()
        self._jobs: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._leases: list[SharedRate | SharedPermits] = []
        assert settings.url is not None, "a section without one is refused when made"
        load()
        self.store = Store(settings.url, timeout=settings.timeout, name=settings.name, note=note)
        self.keys = Keys(settings.name)
        self.member = Member(assumed=settings.processes, lease=settings.lease)

    def quota(self, bound: Bound) -> SharedRate:
        """Return the fleet's tokens of a bound; the n-th made is the n-th of each process."""
        number = sum(isinstance(lease, SharedRate) for lease in self._leases)
        return self.rate(bound.rate, bound.most, name=name_of(number, bound))

    def rate(self, rate: Rate, burst: int, *, name: str = MAIN) -> SharedRate:
        """Return a rate that all processes keep together; `name` tells limits apart."""
        keys, every = self.keys.rate(name), self._settings.every
        shared = SharedRate(
            rate, burst, keys=keys, store=self.store, member=self.member, every=every
        )
        self._add(shared)
        return shared

    def permits(self, most: int, *, name: str = MAIN) -> SharedPermits:
        """Return permits of which all processes together use at most so many at once."""
        keys = self.keys.permits(name)
        shared = SharedPermits(most, keys=keys, store=self.store, member=self.member)
        self._add(shared)
        return shared

    def when_more_came(self, arrived: Callable[[], None]) -> None:
        """Have it told whenever units or permits came of what was made so far."""
        for shared in self._leases:
            shared.arrived = arrived

    def _add(self, shared: SharedRate | SharedPermits) -> None:
        self._leases.append(shared)
        self._jobs.append(shared.run)

    def token(self, settings: TokenSettings) -> SharedToken | None:
        """Return what fetches for all; None: each fetches its own.

        So it is without a key to encrypt by, and where no token server grants the token.
        """
        key, name = self._settings.key, self._settings.name
        if key is None or not settings.urls:
            return None
        return SharedToken(
            part=token_part(settings),
            keys=self.keys,
            store=self.store,
            member=self.member,
            cipher=lambda: Cipher(key, name=name),
            patience=TURNS * settings.timeout,
        )

    def gossip(self, pool: Hearing, *, cooled: Callable[[], None] = lambda: None) -> Gossip:
        """Return what tells outages; see `Gossip`."""
        gossip = Gossip(
            pool,
            store=self.store,
            keys=self.keys,
            member=self.member,
            vantage=self._vantage,
            cooled=cooled,
        )
        self._jobs.append(gossip.run)
        return gossip

    def turns(self, pool: Probed) -> Turns:
        """Return what shares probes; see `Turns`."""
        turns = Turns(
            pool, store=self.store, keys=self.keys, member=self.member, vantage=self._vantage
        )
        self._jobs.append(turns.run)
        return turns

    def reset_after_fork(self) -> None:
        """Be another process: with another name, and nothing leased."""
        self.member.reset_after_fork()
        self.store.reset_after_fork()
        for shared in self._leases:
            shared.reset_after_fork()

    async def run(self) -> None:
        """Do all of it until cancelled; what was leased goes back before the connection ends."""
        loop = asyncio.get_running_loop()
        store = loop.create_task(self.store.run())
        jobs = [loop.create_task(self._kept(job)) for job in self._jobs]
        jobs.append(loop.create_task(self._kept(lambda: self.member.run(self.store, self.keys))))
        try:
            await asyncio.gather(store, *jobs)
        finally:
            for job in jobs:
                if not job.cancelling():  # a second time would cut off what it gives back
                    job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            store.cancel()
            await asyncio.gather(store, return_exceptions=True)
            await self.store.close()

    async def _kept(self, job: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do a job until cancelled; one that an absurd answer broke is begun again."""
        told = False
        while True:
            try:
                await job()
            except Exception as error:  # noqa: BLE001 - one key's trouble is not everybody's
                if not told:
                    self._note(f"the shared store answers with nonsense ({type(error).__name__})")
                    told = True
            await asyncio.sleep(BEGUN_AGAIN)

    def describe(self) -> dict[str, Any]:
        """Return the state as plain data, without secrets."""
        return {
            "up": self.store.up,
            "trouble": self.store.trouble,
            "processes": self.member.count,
            "alone": any(shared.alone for shared in self._leases),
        }
