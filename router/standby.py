"""The runner-up kept ready: a connection that stands, and a token, before either is needed.

A request that goes elsewhere pays for a new connection: two round trips over TLS, while its first
attempt has cost it time already.

Rule 1: on the path of a request this is one comparison of numbers; the rest happens beside it.
Rule 2: it asks what probes ask, without credentials, over the connections that requests use. What
        comes back is told to nobody: probes and traffic know how an endpoint is.
Rule 3: one endpoint at a time: where a request would go if the best one were gone.
Rule 4: without traffic there is nothing to keep ready: looks are brought about by requests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.call import Body, Outgoing, Timeouts
from router.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.config.settings import Config, Probe
    from router.desk import Desk
    from router.endpoint import Endpoint

__all__ = ["LONGEST", "SOON", "Standby"]

SOON = 1.0
"""Seconds from the first request to the first look: by then the ranking says something."""
LONGEST = 20.0
"""Seconds between looks at most: idle connections are closed after 30."""
HEADERS = (
    (b"User-Agent", f"region-router/{__version__} standby probe".encode("ascii")),
    (b"Accept", b"*/*"),
)


class Standby:
    """Says what is to be sent to keep the runner-up of one client ready.

    Attributes:
        due: monotonic seconds of the next look.
    """

    __slots__ = ("_config", "_desk", "_empty", "_now", "due")

    def __init__(
        self,
        config: Callable[[], Config],
        desk: Callable[[], Desk],
        *,
        empty: object,
        now: Callable[[], float],
    ) -> None:
        """Take the means.

        Args:
            config: the configuration as of now.
            desk: the parts as of now.
            empty: a body without a byte, as the client's library has it.
            now: monotonic seconds.
        """
        self._config = config
        self._desk = desk
        self._empty = empty
        self._now = now
        self.due = now() + SOON

    def next(self, now: float) -> Outgoing | None:
        """Return what keeps the runner-up's connection open, if there is a runner-up."""
        config, desk = self._config(), self._desk()
        self.due = now + min(config.probe.every, LONGEST)
        if not (config.probe.enabled and config.failover.standby):
            return None
        endpoint = desk.pool.runner_up(now=now)
        if endpoint is None:
            return None
        tokens = desk.tokens
        if tokens is not None and tokens.current(now, endpoint.reach) is None:
            tokens.request(now, endpoint.reach)
        return self._request(endpoint, config.probe)

    def _request(self, endpoint: Endpoint, probe: Probe) -> Outgoing:
        seconds = probe.timeout
        return Outgoing(
            method=probe.method,
            endpoint=endpoint,
            target=endpoint.base_path + probe.path.encode("ascii"),
            headers=[endpoint.host_header, *HEADERS],
            body=Body(self._empty, replayable=True),
            timeouts=Timeouts({}, until=self._now() + seconds, pause=seconds, now=self._now),
            extensions={},
        )
