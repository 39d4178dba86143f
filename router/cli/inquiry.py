"""Asks what time it is, for `router clock`.

Rule 1: with a Router it is the Router's own clock that learns; without one, a clock that nobody
        else uses. Nothing is started, and no request is sent: endpoints are probed.
Rule 2: NTP comes first, because probes wait for the turn of a second where it does not help.
Rule 3: what one round has learnt stays for the next.
"""

from __future__ import annotations

import functools
import random
from typing import TYPE_CHECKING

from router.cli.endpoint_clocks import endpoint_clock
from router.cli.finding import Finding
from router.cli.rungs import rung_rows
from router.clock.clock import Clock
from router.clock.exchange import query_all
from router.clock.host import THIS_HOST
from router.clock.sync import Synchroniser

if TYPE_CHECKING:
    from router.cli.endpoint_clocks import EndpointClock
    from router.config import ClockSettings
    from router.router import Router

__all__ = ["Inquiry"]

PROBES = 5
SPARE = 0.5  # so that a server's own time limit ends its exchange, and its reason is told


class Inquiry:
    """Asks the NTP servers, and where a Router is given its endpoints, as often as one likes.

    Args:
        settings: which servers, and the error that is allowed.
        router: whose endpoints are probed, and whose clock learns.
        timeout: seconds that one server may take.
    """

    def __init__(
        self, settings: ClockSettings, router: Router | None = None, *, timeout: float
    ) -> None:
        self._settings = settings
        self._router = router
        self._host = host = THIS_HOST
        self._clock = Clock(max_error=settings.max_error, settle_within=0, host=host)
        if router is not None:
            self._clock = router.clock
        self._synchroniser = Synchroniser(
            settings,
            self._clock,
            random=random.Random(),
            host=host,
            timeout=timeout,
            ask=functools.partial(query_all, within=timeout + SPARE),
        )

    async def ask(self) -> Finding:
        """Ask everybody, and return what is known then.

        Raises:
            ConfigError: a file of `tls:` cannot be read.
        """
        if self._settings.servers:
            await self._synchroniser.once()
        endpoints = None if self._router is None else await _clocks_of(self._router)
        return self._found(endpoints)

    def _found(self, endpoints: tuple[EndpointClock, ...] | None) -> Finding:
        stamp, servers = self._clock.now(), tuple(self._synchroniser.report())
        return Finding(
            stamp=stamp,
            max_error=self._settings.max_error,
            servers=servers,
            rungs=rung_rows(
                self._clock.rungs(),
                self._host.hands(),
                serving=stamp.source,
                servers=servers,
                kernel=self._host.kernel(),
                endpoints=endpoints,
            ),
            endpoints=endpoints,
        )


async def _clocks_of(router: Router) -> tuple[EndpointClock, ...]:
    """Probe the endpoints, and return what their answers tell of their clocks."""
    ranked = {row.name: row for row in await router.measure(PROBES)}
    return tuple(
        endpoint_clock(ranked[endpoint.name], router.keeper) for endpoint in router.config.endpoints
    )
