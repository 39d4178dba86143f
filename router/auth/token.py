"""The access tokens that all threads, tasks and regions share: one for each audience and scope.

Rule 1: one request at a time. Whoever needs a token while one is being fetched joins that flight;
        each waiter has a future of its own, so that one that gives up takes nobody along.
Rule 2: a request never waits for a token while the old one is usable; it is renewed in the
        background, `refresh_before` seconds before its expiry, or after half of a shorter life,
        and up to a quarter of that earlier.
Rule 3: after a failure the server is left alone (`servers`). Where there is another, the flight
        goes on to it. Who needs a token meanwhile fails at once and is told when to come back; an
        old token serves on.
Rule 4: a healthy server is asked at most once a second, however short-lived its tokens are and
        however often they are rejected. So a token serves for one second at least.
Rule 5: a rotated refresh token is kept before anyone is answered: the server forgot the old one. So
        flights that spend it follow each other, whatever audience they are for.

Nothing here waits. The network is `fetch`, the thread that runs it is behind `spawn`, and what
other processes know comes by way of `exchange`. Tokens change
in `_keep`, `_fail` and `reject` only.
"""

from __future__ import annotations

import inspect
import threading
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from router.auth.flight import Flight, Turns, outcome_of
from router.auth.grant import Grant, RefusedError, TokenForm, check_grant
from router.auth.servers import Backoff, Servers
from router.auth.shelf import OWN, Shelf, Token, refresh_lead
from router.errors import TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from router.auth.exchange import Exchange, Fetch
    from router.config.settings import TokenSettings
    from router.endpoint import Reach

    Spawn = Callable[[Coroutine[Any, Any, Grant]], Future[Grant]]

__all__ = ["Token", "TokenManager"]

SHORTEST_USE = 1.0
NOBODY = TokenError("no token server may be asked now")


class TokenManager:
    """Hands out the shared tokens and has them renewed; safe to use from any thread."""

    def __init__(
        self,
        settings: TokenSettings,
        *,
        fetch: Fetch,
        spawn: Spawn,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
        exchange: Exchange | None = None,
    ) -> None:
        """Take what a token is and where it comes from.

        Args:
            settings: the `token:` section.
            fetch: asks the server that a form names, or reads a static key.
            spawn: runs that in the background.
            random: the jitter of backoff and renewal.
            clock: monotonic seconds.
            exchange: shares tokens with other processes.
        """
        self._settings = settings
        self._fetch = fetch
        self._spawn = spawn
        self._random = random
        self._clock = clock
        self._exchange = exchange
        self._refresh_token = settings.refresh_token
        self._servers = Servers(settings.sources, random)
        self._shelves: dict[Reach, Shelf] = {}
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Forget the flights: in the child nobody lands them, and the lock may stay taken."""
        self._lock = threading.Lock()
        self._turns = Turns(spends=self._settings.grant == "refresh_token")
        for shelf in self._shelves.values():
            shelf.flight = None

    # -- asking

    def current(self, now: float, reach: Reach = OWN) -> Token | None:
        """Return the token if it is usable; near its end, have a new one fetched behind it."""
        shelf = self._shelves.get(reach)
        token = None if shelf is None else shelf.token
        if shelf is None or token is None or now < token.refresh_at:
            return token
        if not token.usable(now):
            return None
        self._refresh(shelf, token, now)
        return token

    def request(self, now: float, reach: Reach = OWN) -> Future[Token]:
        """Return a token to come: from the flight under way, or from a new one.

        The future is the caller's own and may be cancelled; the flight goes on. It fails with
        TokenError, at once while the server is left alone after a failure; `retry_after` says for
        how long.
        """
        waiter: Future[Token] = Future()
        with self._lock:
            shelf = self._shelf(reach)
            token, flight = shelf.usable(now), shelf.flight
            if token is not None:
                waiter.set_result(token)
                return waiter
            if flight is not None:
                flight.waiters.append(waiter)
                return waiter
            if now < self._retry_at(shelf):
                waiter.set_exception(self._error(shelf, now))
                return waiter
            flight = shelf.flight = Flight(shelf, waiters=[waiter])
        self._go_on(flight, now)
        return waiter

    def _refresh(self, shelf: Shelf, token: Token, now: float) -> None:
        with self._lock:
            busy = shelf.token is not token or shelf.flight is not None
            if busy or now < self._retry_at(shelf):
                return
            flight = shelf.flight = Flight(shelf)
        self._go_on(flight, now)

    def _shelf(self, reach: Reach) -> Shelf:
        """Return the shelf of a reach; what is written out and what is left open may share one."""
        shelf = self._shelves.get(reach)
        if shelf is None:
            form = TokenForm.of(self._settings, None, reach)
            full = (form.audience, form.scope)
            shelf = self._shelves.get(full) or Shelf(full, Backoff(self._random))
            self._shelves[full] = self._shelves[reach] = shelf
        return shelf

    # -- learning

    def reject(self, token: Token, now: float) -> None:
        """Drop the token that a server answered with 401, unless it was replaced already.

        A second rejection within a second is not believed: then `request` returns the same token,
        and a repeat of the request is pointless.
        """
        with self._lock:
            shelf = self._shelves.get(token.reach)
            if shelf is None or shelf.token is None or now < shelf.reject_at:
                return
            if shelf.token.value == token.value:
                shelf.rejected, shelf.token = shelf.token, None
                shelf.reject_at = now + SHORTEST_USE

    def adopt(self, grant: Grant, now: float, reach: Reach = OWN) -> None:
        """Take a grant that another process fetched; its lifetime counts from `now`.

        Raises:
            TokenError: no header could carry it.
        """
        check_grant(grant)
        with self._lock:
            self._keep(self._shelf(reach), grant, now, now)

    def _keep(self, shelf: Shelf, grant: Grant, asked: float, now: float) -> None:
        """Count the lifetime from the request's start: it began somewhere before the answer."""
        self._refresh_token = grant.refresh_token or self._refresh_token
        shelf.backoff.succeeded()
        lead = refresh_lead(grant.lifetime, self._settings.refresh_before, self._random)
        expires = max(asked + grant.lifetime, now + SHORTEST_USE)
        refresh_at = max(expires - lead, now + SHORTEST_USE)
        token = Token(grant.access_token, expires, refresh_at, reach=shelf.reach)
        shelf.token = replace(token, refresh_at=now + lead) if token.is_static else token

    def _fail(self, flight: Flight, error: TokenError, now: float) -> None:
        """Have whoever failed be left alone; a static key that was rejected is all there is."""
        shelf, words, asked = flight.shelf, str(error), error.retry_after
        if isinstance(error, RefusedError) and error.of_the_reach:
            shelf.backoff.failed(words, now, asked=asked)
        elif isinstance(error, RefusedError):
            self._servers.refused(words, now, asked=asked)
        elif error is not NOBODY:
            self._servers.failed(flight.url, words, now, asked=asked)
        if shelf.token is None and shelf.rejected is not None and shelf.rejected.is_static:
            shelf.token = shelf.rejected

    # -- flying

    def _go_on(self, flight: Flight, now: float) -> None:
        """Ask the next server, or wait for the turn; where nobody can be asked, land."""
        with self._lock:
            if not self._turns.take(flight):
                return
            form = self._form(flight, now)
        if form is None:
            future: Future[Grant] = Future()
            future.set_exception(NOBODY)
        else:
            future = self._ask(form)
        future.add_done_callback(partial(self._landed, flight))

    def _form(self, flight: Flight, now: float) -> TokenForm | None:
        url = self._servers.best(now, flight.tried)
        if url is None:
            return None
        flight.asked, flight.url = now, url
        flight.tried.add(url)
        form = TokenForm.of(self._settings, self._refresh_token, flight.shelf.reach)
        return replace(form, url=url, replaces=flight.shelf.replaces())

    def _ask(self, form: TokenForm) -> Future[Grant]:
        exchange, asked = self._exchange, None
        try:
            asked = self._fetch(form) if exchange is None else exchange.obtain(form, self._fetch)
            return self._spawn(asked)
        except Exception as error:  # noqa: BLE001 - whatever it is, the flight has to land
            if inspect.iscoroutine(asked):
                asked.close()
            future: Future[Grant] = Future()
            future.set_exception(error)
            return future

    def _landed(self, flight: Flight, future: Future[Grant]) -> None:
        """Keep what came, and only then answer the waiters, each with an error of its own."""
        outcome, now = outcome_of(future), self._clock()
        with self._lock:
            if isinstance(outcome, Grant):
                self._servers.answered(flight.url)
                self._keep(flight.shelf, outcome, flight.asked, now)
                elsewhere = False
            else:
                self._fail(flight, outcome, now)
                refused = isinstance(outcome, RefusedError)
                elsewhere = not refused and self._servers.best(now, flight.tried) is not None
        if elsewhere:
            self._go_on(flight, now)
        else:
            self._land(flight, now)

    def _land(self, flight: Flight, now: float) -> None:
        with self._lock:
            shelf, following = flight.shelf, self._turns.end(flight)
            if shelf.flight is flight:
                shelf.flight = None
            token = shelf.usable(now)
        for waiter in flight.waiters:
            if not waiter.set_running_or_notify_cancel():
                continue
            if token is not None:
                waiter.set_result(token)
            else:
                waiter.set_exception(self._error(shelf, now))
        if following is not None:
            self._go_on(following, now)

    # -- telling

    def describe(self, now: float) -> dict[str, Any]:
        """Return the state as plain data, without a secret; times are seconds from now."""
        with self._lock:
            shelves = {id(shelf): shelf for shelf in self._shelves.values()}.values()
            return {
                "grant": self._settings.grant,
                "servers": self._servers.describe(now),
                "tokens": [shelf.describe(now) for shelf in shelves],
            }

    def _retry_at(self, shelf: Shelf) -> float:
        return max(self._servers.retry_at, shelf.backoff.retry_at)

    def _error(self, shelf: Shelf, now: float) -> TokenError:
        failure = shelf.backoff.failure or self._servers.failure or str(NOBODY)
        return TokenError(failure, retry_after=max(0.0, self._retry_at(shelf) - now))
