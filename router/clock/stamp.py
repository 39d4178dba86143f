"""The timestamp on a request: how a moment is written, and what happens when it is not sure.

Rule 1: every format is UTC and the same in every locale.
Rule 2: a stamp is taken anew for every attempt, when its headers leave.
Rule 3: above `max_error` the user's `when_unsure` decides: stamp and warn once a minute, refuse
        before anything is sent, or send without a stamp.
"""

from __future__ import annotations

import functools
import logging
import math
import threading
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Literal, NoReturn

from router.clock.reading import UNBOUNDED
from router.errors import ClockError
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.clock.reading import Stamp
    from router.config.settings import ClockSettings

__all__ = ["Format", "Stamper", "write"]

Format = Literal["unix", "unix_ms", "rfc3339", "http_date"]

NS, MS = 10**9, 10**6
WARN_EVERY = 60.0
log = logging.getLogger("router.clock")


def write(ns: int, format: Format) -> str:  # noqa: A002 - the setting's own name
    """Return Unix nanoseconds as text; what the format cannot show is cut off, never rounded up."""
    if format == "unix_ms":
        return str(ns // MS)
    seconds, rest = divmod(ns, NS)
    if format == "unix":
        return str(seconds)
    if format == "rfc3339":
        return f"{_date_time(seconds)}.{rest // MS:03d}Z"
    return _http_date(seconds)


@functools.lru_cache(maxsize=4)
def _date_time(seconds: int) -> str:
    year, month, day, hour, minute, second = time.gmtime(seconds)[:6]
    return f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}"


@functools.lru_cache(maxsize=4)
def _http_date(seconds: int) -> str:
    return formatdate(seconds, usegmt=True)


class Stamper:
    """Turns a stamp into a request header as the `clock:` section says.

    Args:
        settings: header, format, max_error and when_unsure.
        monotonic: seconds, for the one warning a minute.
        note: hears the warning, and is quick.

    Attributes:
        refuses: whether `when_unsure` is `refuse`.
        unsure: how many requests met a clock whose bound was above `max_error`.
    """

    def __init__(
        self,
        settings: ClockSettings,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        note: Callable[[str], None] = log.warning,
    ) -> None:
        self._settings = settings
        self._format: Format = settings.format
        self._name = (settings.header or "").encode("ascii")
        self._monotonic = monotonic
        self._note = note
        self._max_error_ns = int(settings.max_error * NS)
        self._warned = -math.inf
        self.refuses = settings.when_unsure == "refuse"
        self.unsure = 0
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Take a lock of one's own."""
        self._lock = threading.Lock()

    def header(self, stamp: Stamp) -> tuple[bytes, bytes] | None:
        """Return the header's name and value, or None where the request goes without.

        The policy holds where no header is configured as well: then a signature carries the time.

        Raises:
            ClockError: the stamp's bound is above `max_error` and `when_unsure` is `refuse`.
        """
        at, reading = stamp
        unsure = reading.bound_ns > self._max_error_ns  # on everybody's path, without calls
        if unsure and self._is_unsure(stamp) and not self._accept(stamp):
            return None
        if not self._name:
            return None
        if self._format == "unix_ms":
            return self._name, b"%d" % ((at + reading.theta_ns) // MS)
        return self._name, write(at + reading.theta_ns, self._format).encode("ascii")

    def check(self, stamp: Stamp) -> None:
        """Raise ClockError where a request stamped like this would be refused."""
        if self.refuses and self._is_unsure(stamp):
            self._refuse(stamp)

    def _is_unsure(self, stamp: Stamp) -> bool:
        return stamp.bound_ns > self._max_error_ns and stamp.source != "server"

    def _accept(self, stamp: Stamp) -> bool:
        """Decide about a stamp that is not sure enough."""
        policy = self._settings.when_unsure
        self.unsure += 1
        if policy == "refuse":
            self._refuse(stamp)
        if policy == "warn" and self._is_time_to_warn():
            self._note(f"{self._doubt(stamp)}: requests are stamped all the same")
        return policy == "warn"

    def _refuse(self, stamp: Stamp) -> NoReturn:
        known = "" if stamp.bound_ns == UNBOUNDED else "raise clock.max_error, "
        raise ClockError(
            f"{self._doubt(stamp)}, and clock.when_unsure is refuse: let UDP port 123 to "
            f"clock.servers through, {known}or set clock.when_unsure to warn"
        )

    def _doubt(self, stamp: Stamp) -> str:
        known = "not known" if stamp.bound_ns == UNBOUNDED else f"{stamp.bound_ns / NS:.3f} s"
        return (
            f"the clock's error bound is {known} (source {stamp.source}), "
            f"above clock.max_error of {self._settings.max_error:g} s"
        )

    def _is_time_to_warn(self) -> bool:
        now = self._monotonic()
        with self._lock:
            due = now - self._warned >= WARN_EVERY
            if due:
                self._warned = now
        return due
