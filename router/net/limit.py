"""How long one wait may take.

Rule 1: an HTTP core asks for a timeout once a phase and uses it for every read; so what it hands
        down is asked anew at each wait (`Remaining`), while a plain number means what it says.
Rule 2: one wait has one end, an instant: a peer that sends a byte now and then does not move it.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from router.call import Remaining

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.call import Timeouts

__all__ = ["LONGEST", "AbandonedError", "LateError", "connecting", "end_of", "timeouts_of"]

LONGEST = 1e6
"""Seconds: the system counts a wait in milliseconds, of which it takes 2**31."""


class LateError(Exception):
    """Time is up."""


class AbandonedError(OSError):
    """Nobody waits for the request any more."""

    def __init__(self) -> None:
        super().__init__("the request was abandoned")


def timeouts_of(timeout: float | None) -> Timeouts | None:
    """Return the Timeouts behind a timeout, or None for a plain number."""
    return timeout.timeouts if isinstance(timeout, Remaining) else None


def end_of(timeout: float | None) -> float | None:
    """Return when a wait beginning now has to end, in monotonic seconds; None: never.

    Raises:
        LateError: it must not begin: time is up.
        AbandonedError: it must not begin: nobody waits for its request any more.
    """
    if timeout is None:
        return None
    seconds = timeout.now() if isinstance(timeout, Remaining) else timeout
    if seconds <= 0:
        if isinstance(timeout, Remaining) and timeout.timeouts.abandoned:
            raise AbandonedError
        raise LateError
    return time.monotonic() + min(seconds, LONGEST)


@contextmanager
def connecting(core: Any) -> Iterator[None]:
    """Raise what goes wrong on the way to a connection as the core's exceptions.

    Raises:
        ConnectTimeout: of the core; time was up.
        ConnectError: of the core, with the words of the system or of TLS.
    """
    try:
        yield
    except LateError as late:
        raise core.ConnectTimeout(str(late) or "no connection in time") from late
    except (OSError, UnicodeError) as error:  # a name that cannot be encoded is a UnicodeError
        raise core.ConnectError(str(error)) from error
