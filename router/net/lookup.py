"""One lookup under way, and those who wait for it.

Rule: a waiter that goes away leaves nothing behind and disturbs nobody: the lookup goes on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.net.addresses import Address

__all__ = ["Lookup"]


class Lookup:
    """A lookup whose end threads wait for, and loops hear of."""

    __slots__ = ("_ended", "_error", "_found", "_listeners", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._found: tuple[Address, ...] = ()
        self._error: Exception | None = None

    def land(self, found: tuple[Address, ...], error: Exception | None) -> None:
        """End with addresses, or with an error, and tell all who wait."""
        with self._lock:
            self._found, self._error = found, error
            self._ended.set()
            listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            listener()

    def wait(self, seconds: float | None) -> bool:
        """Block the thread until the end, `seconds` at most; return whether it came."""
        return self._ended.wait(seconds)

    def listen(self, key: object, listener: Callable[[], None]) -> None:
        """Have `listener` called at the end, from another thread, or at once if it has come."""
        with self._lock:
            if not self._ended.is_set():
                self._listeners[key] = listener
                return
        listener()

    def forget(self, key: object) -> None:
        """Call that listener no more."""
        with self._lock:
            self._listeners.pop(key, None)

    def result(self) -> tuple[Address, ...]:
        """Return what was found.

        Raises:
            OSError: nothing was, with the words of the lookup.
        """
        if self._error is not None:
            raise OSError(str(self._error)) from self._error
        return self._found
