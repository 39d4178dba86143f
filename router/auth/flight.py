"""A token on its way, whose turn it is, and how it ended.

Rule 1: flights that spend a refresh token take turns: a rotated one is good for one request.
Rule 2: how a flight ended is a grant or a TokenError; a foreign error's text may hold secrets, so
        only its kind is told. What other code grants is checked before it is kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from router.auth.grant import check_grant
from router.errors import RouterError, TokenError

if TYPE_CHECKING:
    from concurrent.futures import Future

    from router.auth.grant import Grant
    from router.auth.shelf import Shelf, Token

__all__ = ["Flight", "Turns", "outcome_of"]


@dataclass(slots=True, eq=False)
class Flight:
    """A token on its way: from one server after the other, until one grants it.

    Attributes:
        asked: when the last request began.
        tried: the servers asked so far, the last one as `url`.
        waiters: who waits for it.
    """

    shelf: Shelf
    asked: float = 0.0
    url: str = ""
    tried: set[str] = field(default_factory=set)
    waiters: list[Future[Token]] = field(default_factory=list)


class Turns:
    """Whose turn it is to spend the refresh token; where nothing is spent, it is everybody's."""

    def __init__(self, *, spends: bool) -> None:
        self._spends = spends
        self._spending: Flight | None = None
        self._queue: deque[Flight] = deque()

    def take(self, flight: Flight) -> bool:
        """Return whether the flight may go on; else it comes up when its turn does."""
        if not self._spends or self._spending is flight:
            return True
        if self._spending is not None:
            self._queue.append(flight)
            return False
        self._spending = flight
        return True

    def end(self, flight: Flight) -> Flight | None:
        """Return the flight whose turn begins, as this one's ends."""
        if self._spending is not flight:
            return None
        self._spending = None
        return self._queue.popleft() if self._queue else None


def outcome_of(future: Future[Grant]) -> Grant | TokenError:
    """Return the grant that a flight brought, or why there is none."""
    if future.cancelled():
        return TokenError("the token request was cut off: the router is closing")
    error = future.exception()
    if error is None:
        return _checked(future.result())
    if isinstance(error, TokenError):
        return error
    if isinstance(error, RouterError):
        return TokenError(str(error))
    return TokenError(f"the token request failed with {type(error).__name__}")


def _checked(grant: Grant) -> Grant | TokenError:
    try:
        return check_grant(grant)
    except TokenError as error:
        return error
