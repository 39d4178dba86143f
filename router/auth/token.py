"""The one access token that all threads, tasks and regions share.

Rule 1: one request at a time. Whoever needs a token while one is being fetched joins that flight;
        each waiter has a future of its own, so that one that gives up takes nobody along.
Rule 2: a request never waits for a token while the old one is usable; it is renewed in the
        background, `refresh_before` seconds before its expiry, or after half of a shorter life.
Rule 3: after a failure the server is left alone for 1, 2, 4 … 30 s, with jitter on top. Who needs a
        token meanwhile fails at once and is told when to come back; an old token serves on.
Rule 4: a healthy server is asked at most once a second, however short-lived its tokens are and
        however often they are rejected. So a token serves for one second at least.
Rule 5: a rotated refresh token is kept before anyone is answered: the server forgot the old one.

Nothing here waits. The network is `fetch`, the thread that runs it is behind `spawn`.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from router.auth.grant import Grant, TokenForm
from router.errors import RouterError, TokenError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from random import Random

    from router.config.settings import TokenSettings
    from router.secret import Secret

    Fetch = Callable[[TokenForm], Coroutine[Any, Any, Grant]]
    Spawn = Callable[[Coroutine[Any, Any, Grant]], Future[Grant]]

__all__ = ["Token", "TokenManager"]

FIRST_BACKOFF = 1.0
LONGEST_BACKOFF = 30.0
JITTER = 0.5
SHORTEST_USE = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """An access token; times are monotonic seconds, and two tokens are equal only if the same."""

    value: Secret
    expires: float
    refresh_at: float = float("inf")
    kind: str = "Bearer"

    def usable(self, now: float) -> bool:
        """Whether it may still be sent."""
        return now < self.expires

    def header(self) -> str:
        """Return the Authorization header's value, in clear text."""
        return f"{self.kind} {self.value.reveal()}"


@dataclass(slots=True, eq=False)
class Flight:
    """One token request under way, and who waits for it."""

    started: float
    form: TokenForm
    waiters: list[Future[Token]] = field(default_factory=list)


class TokenManager:
    """Hands out the shared token and has it renewed; safe to use from any thread."""

    def __init__(
        self,
        settings: TokenSettings,
        *,
        fetch: Fetch,
        spawn: Spawn,
        random: Random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._fetch = fetch
        self._spawn = spawn
        self._random = random
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._flight: Flight | None = None
        self._refresh_token = settings.refresh_token
        self._failures = 0
        self._failure = ""
        self._retry_at = float("-inf")
        self._reject_at = float("-inf")

    def current(self, now: float) -> Token | None:
        """Return the token if it is usable; near its end, have a new one fetched behind it."""
        token = self._token
        if token is None or now < token.refresh_at:
            return token
        if not token.usable(now):
            return None
        self._refresh(token, now)
        return token

    def request(self, now: float) -> Future[Token]:
        """Return a token to come: from the flight under way, or from a new one.

        The future is the caller's own and may be cancelled; the flight goes on. It fails with
        TokenError, at once while the server is left alone after a failure; `retry_after` says for
        how long.
        """
        waiter: Future[Token] = Future()
        with self._lock:
            flight = self._flight
            if self._token is not None and self._token.usable(now):
                waiter.set_result(self._token)
                return waiter
            if flight is None and now < self._retry_at:
                waiter.set_exception(self._error(now))
                return waiter
            if flight is not None:
                flight.waiters.append(waiter)
                return waiter
            flight = self._take_off(now)
            flight.waiters.append(waiter)
        self._launch(flight)
        return waiter

    def reject(self, token: Token, now: float) -> None:
        """Drop the token that a server answered with 401, unless it was replaced already.

        A second rejection within a second is not believed: then `request` returns the same token,
        and a repeat of the request is pointless.
        """
        with self._lock:
            if self._token is token and now >= self._reject_at:
                self._token = None
                self._reject_at = now + SHORTEST_USE

    def reset_after_fork(self) -> None:
        """Forget the flight: in the child nobody lands it, and its lock may never be released."""
        self._lock = threading.Lock()
        self._flight = None

    def _refresh(self, token: Token, now: float) -> None:
        with self._lock:
            if self._token is not token or self._flight is not None or now < self._retry_at:
                return
            flight = self._take_off(now)
        self._launch(flight)

    def _take_off(self, now: float) -> Flight:
        self._flight = Flight(now, TokenForm.of(self._settings, self._refresh_token))
        return self._flight

    def _launch(self, flight: Flight) -> None:
        coroutine = self._fetch(flight.form)
        try:
            future = self._spawn(coroutine)
        except Exception as error:  # noqa: BLE001 - whatever it is, the flight has to land
            coroutine.close()
            future = Future()
            future.set_exception(error)
        future.add_done_callback(partial(self._land, flight))

    def _land(self, flight: Flight, future: Future[Grant]) -> None:
        """Keep what came, and only then answer the waiters, each with an error of its own."""
        outcome = _outcome(future)
        now = self._clock()
        with self._lock:
            if self._flight is flight:
                self._flight = None
            if isinstance(outcome, Grant):
                token = self._keep(outcome, flight.started, now)
            else:
                token = None
                self._leave_alone(outcome, now)
        for waiter in flight.waiters:
            if not waiter.set_running_or_notify_cancel():
                continue
            if token is not None:
                waiter.set_result(token)
            else:
                waiter.set_exception(self._error(now))

    def _keep(self, grant: Grant, started: float, now: float) -> Token:
        """Count the lifetime from the request's start: it began somewhere before the answer."""
        self._refresh_token = grant.refresh_token or self._refresh_token
        self._failures = 0
        self._retry_at = float("-inf")
        expires = max(started + grant.lifetime, now + SHORTEST_USE)
        lead = min(self._settings.refresh_before, grant.lifetime / 2)
        token = Token(grant.access_token, expires, max(expires - lead, now + SHORTEST_USE))
        self._token = token
        return token

    def _leave_alone(self, failure: str, now: float) -> None:
        step = FIRST_BACKOFF * 2.0 ** min(self._failures, 10)
        self._failures += 1
        self._failure = failure
        self._retry_at = now + min(LONGEST_BACKOFF, step * self._random.uniform(1, 1 + JITTER))

    def _error(self, now: float) -> TokenError:
        return TokenError(self._failure, retry_after=max(0.0, self._retry_at - now))


def _outcome(future: Future[Grant]) -> Grant | str:
    """Return the grant, or in words why there is none; a foreign error's text may hold secrets."""
    if future.cancelled():
        return "the token request was cut off: the router is closing"
    error = future.exception()
    if error is None:
        return future.result()
    if isinstance(error, RouterError):
        return str(error)
    return f"the token request failed with {type(error).__name__}"
