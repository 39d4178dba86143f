"""What the flow and the probes ask about time: Keeper, in front of Clock, Stamper and Dates.

Rule 1: a stamp is UTC; or the time of the endpoint's own clock, where the settings say so or the
        endpoint has refused a stamp of UTC. Our own clock still decides while it agrees with what
        the endpoint's Dates tell. A stamp by the endpoint's clock is not held against `max_error`:
        the endpoint itself is the judge.
Rule 2: every answer's Date is heard, since it costs nothing: it is the rung below NTP, the one way
        to see a silent pause of this machine, and the proof that a region's clock is off.
Rule 3: an answer is taken for a skew error only where requests carry a time at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from router.clock.dates import RESOLUTION, Dates, Heard, date_of, skew
from router.clock.reading import Reading, Stamp
from router.clock.select import meet
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from router.call import Header
    from router.clock.clock import Clock
    from router.clock.host import Host
    from router.clock.select import Interval
    from router.clock.stamp import Stamper
    from router.config.skew_errors import SkewError

__all__ = ["Keeper"]

NS = 1e9
HEAR_EVERY = 0.005
"""Seconds within which another answer of an endpoint hardly says more of its clock."""
RECKON_EVERY = 0.1
COMPARE_EVERY = 1.0
GRACE = 1.0
NOTEWORTHY = 0.05


class Keeper:
    """Stamps requests, and learns the time from their answers.

    Args:
        clock: UTC with a bound.
        host: the clocks of this machine.
        stamper: writes the header, and knows what to do when unsure; None: there is no policy.
        carries_time: whether requests carry a time at all, in the header or under a signature.
        by_server: stamp with the endpoint's own clock wherever it is known.
        skew_errors: the answers that say that a timestamp was wrong.
        aims: whether probes may wait for the turn of a second while the clock is unsure.
        told: hears by how many seconds an endpoint's clock is off, or None once it is not.

    Attributes:
        skew_statuses: those of answers whose body has to be looked at to know.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        host: Host,
        stamper: Stamper | None = None,
        carries_time: bool = True,
        by_server: bool = False,
        skew_errors: Iterable[SkewError] = (),
        aims: bool = False,
        told: Callable[[str, float | None], None] = lambda *_: None,
    ) -> None:
        self.clock = clock
        self.stamper = stamper if carries_time else None
        self.boottime = host.boottime
        self._boot_ns = host.boot_ns
        self._by_server = by_server
        self._aims = aims
        self._patterns: dict[int, list[SkewError]] = {}
        for error in skew_errors:
            self._patterns.setdefault(error.status, []).append(error)
        self.skew_statuses = frozenset(self._patterns if self.stamper is not None else ())
        self._told = told
        self._dates = Dates()
        self._unsure_since: float | None = None
        self._gone: frozenset[str] = frozenset()
        clock.on_movement(self._dates.widen)
        register(self)
        self._refused: set[str] = set()
        self._skews: dict[str, float] = {}
        self._reckoned = 0.0
        self._compared: dict[str, float] = {}
        self._heard: dict[str, float] = {}
        self._news: set[str] = set()

    def reset_after_fork(self) -> None:
        """Take locks of one's own."""
        self._dates.reset_after_fork()

    # -- stamping

    def settling(self, now: float) -> float:
        """Return how many seconds a request may still wait for a clock that is sure enough.

        Right after the start that is for the first synchronisation. Where `when_unsure` is refuse,
        it is for any source at all, and for GRACE seconds from when the clock became unsure.

        Args:
            now: seconds of any one monotonic clock.
        """
        settling = self.clock.settling(now)
        if settling > 0 or self.stamper is None or not self.stamper.refuses:
            return settling
        if self.clock.now().status != "unsynchronised":
            self._unsure_since = None
            return 0.0
        if self._unsure_since is None:
            self._unsure_since = now
        return max(0.0, self._unsure_since + GRACE - now)

    def stamp(self, endpoint: str) -> Stamp:
        """Return the time that a request to `endpoint` carries if it leaves now."""
        ours = self.clock.now()
        if not self._by_server and endpoint not in self._refused:
            return ours
        at, reading = ours
        interval = self._dates.interval(endpoint, at / NS)
        if interval is None:
            return ours
        low, high = interval
        theta = reading.theta_ns / NS
        if low <= theta <= high:
            if not self._by_server:
                return ours
        else:
            theta = (low + high) / 2
        bound = int(max(high - theta, theta - low) * NS) + 1
        return Stamp((at, Reading(int(theta * NS), bound, "degraded", "server")))

    # -- learning

    def heard(self, endpoint: str, headers: Iterable[Header], asked: float) -> None:
        """Learn from the headers of an answer to what was sent at boot time `asked`."""
        received = self._boot_ns() / NS
        if received - self._heard.get(endpoint, 0.0) < HEAR_EVERY:
            return
        self._heard[endpoint] = received
        date = date_of(headers)
        if date is not None:
            self.dated(endpoint, date, asked=asked, received=received)

    def dated(self, endpoint: str, date: float, *, asked: float, received: float) -> None:
        """Learn from a Date, in Unix seconds, made between two boot times."""
        if endpoint in self._gone:
            return
        heard = self._dates.hear(endpoint, date, asked=asked, received=received)
        if heard is Heard.STEPPED:
            self.clock.suspect()
        due = received - self._compared.get(endpoint, 0.0) >= COMPARE_EVERY
        if due or heard is not Heard.UNCHANGED:
            self._news.add(endpoint)
        if self._news and received - self._reckoned >= RECKON_EVERY:
            self.reckon()

    def reckon(self) -> None:
        """Put together what was heard, now: answers alone bring it about every 100 ms at most."""
        now = self._reckoned = self.boottime()
        news, self._news = self._news, set()
        self.clock.suppose(self._dates.overall(now))
        for endpoint in news:
            self._compared[endpoint] = now
            self._compare(endpoint, now)

    def _compare(self, endpoint: str, now: float) -> None:
        """Tell if it turns out, or no longer does, that the endpoint's clock is off."""
        ours, theirs = self.clock.interval(), self._dates.interval(endpoint, now)
        if ours is None or theirs is None:
            return
        found, before = skew(theirs, ours), self._skews.get(endpoint)
        if found is None:
            self._skews.pop(endpoint, None)
        else:
            self._skews[endpoint] = found
        if (found is None) != (before is None) or (
            found is not None and before is not None and abs(found - before) > NOTEWORTHY
        ):
            self._told(endpoint, found)

    def theirs(self, endpoint: str) -> Interval | None:
        """Return the least and greatest UTC minus boot time by an endpoint's own clock, seconds.

        None if no answer of it told the time.
        """
        return self._dates.interval(endpoint, self.boottime())

    def aim(self, endpoint: str) -> Callable[[float], float] | None:
        """Return what says how long a probe should wait to meet the turn of a second.

        Only while the clock needs it: its bound is above the target and no NTP server helps.
        """
        if not self._aims or not self.clock.settled or self.clock.now().status != "unsynchronised":
            return None
        return lambda travel: self._dates.aim(endpoint, now=self.boottime(), travel=travel)

    def retain(self, endpoints: Collection[str], *, gone: Collection[str] = ()) -> None:
        """Forget what was learnt about all but these; late answers of those gone do not count."""
        self._gone = frozenset(gone)
        self._dates.retain(endpoints)
        self._refused &= set(endpoints)
        for known in (self._skews, self._compared, self._heard):
            for name in known.keys() - set(endpoints):
                known.pop(name, None)

    # -- being refused

    def is_skew_error(self, status: int, text: str) -> bool:
        """Return whether an answer says that the request's time was wrong."""
        return any(error.pattern.search(text) for error in self._patterns.get(status, ()))

    def refused(self, endpoint: str, headers: Iterable[Header], *, asked: float) -> None:
        """Stamp with the endpoint's own clock from now on, as far as that is known.

        Args:
            endpoint: its name.
            headers: those of the answer that refused the time. Its Date is of the very clock that
                judged, so it counts for more than anything that the endpoint said before.
            asked: boot time in seconds before which the request has not left.
        """
        self._refused.add(endpoint)
        date, received = date_of(headers), self.boottime()
        known = self._dates.interval(endpoint, received)
        if date is None or known is None:
            return
        if not meet(known, (date - received, date + RESOLUTION - asked)):
            self._dates.forget(endpoint)
            self.dated(endpoint, date, asked=asked, received=received)
