"""What time it is, and by how much that may be wrong.

Rule 1: UTC is boot time plus theta. Boot time only runs forwards, through laptop sleep too, and is
        the same in every process, so neither a stepped wall clock nor a fork moves `now()`.
Rule 2: what is known is one immutable Reading, published by one attribute store, good for 100 ms.
        Readers take no lock; once in 100 ms one of them looks after the clock, and the others do
        not wait for it.
Rule 3: a bound never shrinks by waiting: it grows by PHI for every second since the claim, and by
        what the detectors of steps, sleep and slews have seen.
Rule 4: where nothing is known the raw wall clock is returned with the bound UNBOUNDED, and the
        user's `when_unsure` decides (`router.clock.stamp`).
"""

from __future__ import annotations

import logging
import math
import threading
from typing import TYPE_CHECKING

from router.clock.disturbance import Detector
from router.clock.host import THIS_HOST
from router.clock.ladder import climb, kernel_claim, standing
from router.clock.reading import UNBOUNDED, Reading, Stamp
from router.clock.trust import Trust, believe
from router.forks import register

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.clock.disturbance import Disturbance
    from router.clock.host import Hands, Host
    from router.clock.ladder import Claim
    from router.clock.select import Interval, Selection

__all__ = ["Clock"]

NS = 1e9
LOOK_EVERY = 0.1
LOOK_EVERY_NS = 100_000_000
NOTE_EVERY = 60.0
log = logging.getLogger("router.clock")


class Clock:
    """UTC with a bound, for any thread; `Synchroniser` keeps it right.

    Args:
        max_error: seconds; a stamp with a larger bound is `unsynchronised`.
        settle_within: seconds a first request may wait for the first synchronisation; 0 where no
            server is configured.
        host: the clocks of this machine.
        note: hears what happened to the clock, in words; is quick.
    """

    def __init__(
        self,
        *,
        max_error: float = 0.5,
        settle_within: float = 1.0,
        host: Host = THIS_HOST,
        note: Callable[[str], None] = log.warning,
    ) -> None:
        self._max_error = max_error
        self._settle_within = settle_within
        self._host = host
        self._note = note
        self._boot_ns = host.boot_ns
        self._until = 0
        self._reading = Reading(0, UNBOUNDED, "unsynchronised", "wall")
        self._trust: Trust | None = None
        self._http: Claim | None = None
        self._detector = Detector()
        self._listeners: list[Callable[[], None]] = []
        self._movement: Callable[[float], None] = lambda _: None
        self._suspected = False
        self._kept = False
        self._noted = -math.inf
        self.settled = settle_within <= 0
        self._asked: float | None = None
        self.reset_after_fork()
        register(self)

    def reset_after_fork(self) -> None:
        """Take a lock of one's own; what is known holds in the child as well."""
        self._lock = threading.Lock()

    # -- reading

    def now(self) -> Stamp:
        """Return the best estimate of UTC with its bound: for windows such as 5 s either way."""
        boot_ns = self._boot_ns  # a method call on an attribute is slower
        at = boot_ns()
        if at < self._until:
            return Stamp((at, self._reading))
        self._look(at)
        return Stamp((at, self._reading))

    def time_ns(self) -> int:
        """Return the best estimate alone, in Unix nanoseconds."""
        return self.now().ns

    def earliest(self) -> int:
        """Return Unix nanoseconds that no true clock has yet to reach: for `iat` and `nbf`."""
        return self.now().earliest_ns

    def latest(self) -> int:
        """Return Unix nanoseconds that no true clock has passed: for checks of expiry."""
        return self.now().latest_ns

    def interval(self) -> Interval | None:
        """Return the lowest and highest UTC minus boot time, in seconds; None if unbounded."""
        _, reading = self.now()
        if reading.bound_ns == UNBOUNDED:
            return None
        theta, bound = reading.theta_ns / NS, reading.bound_ns / NS
        return theta - bound, theta + bound

    # -- what the sources say

    def begin(self) -> Hands:
        """Return what the host's clocks show before a round: `update` counts movements from it.

        What moved since the last look is noticed first, though nobody read the clock.
        """
        self._look(self._boot_ns())
        return self._host.hands()

    def bound(self, now: float) -> float:
        """Return how many seconds NTP may be off at boot time `now`; inf if it never agreed."""
        claim = self._ntp()
        return claim.bound_at(now) if claim else math.inf

    def ntp_interval(self, now: float) -> Interval | None:
        """Return what the last believed majority allows at boot time `now`, disputes left out."""
        if self._trust is None:
            return None
        return self._trust.claim.widened(self._detector.doubt).interval(now)

    def update(
        self,
        selection: Selection,
        now: float,
        *,
        since: Hands | None = None,
        vouched: bool = False,
    ) -> bool:
        """Take over what a majority says at boot time `now`, narrowed by what was known before.

        Args:
            selection: the majority's time.
            now: boot time in seconds.
            since: the host's clocks before the round; what moved later is still doubtful.
            vouched: whether enough servers of the last believed majority vouch for its time.

        Returns:
            Whether it was believed.
        """
        with self._lock:
            hands = self._host.hands()
            disturbance = self._watch(hands)
            self._trust, words = believe(
                self._trust,
                selection,
                now,
                doubt=self._detector.doubt,
                vouched=vouched,
                dates=self._http,
                narrow=not self._suspected,
            )
            disputed = self._trust.dispute > 0
            if not disputed:
                self._kept, self._suspected = bool(self._listeners), False
                self._detector.anchor(since or hands)
            self._publish(hands)
            self.settled = True
        self._tell(disturbance, words)
        return not disputed

    def hold(self) -> None:
        """Say that the last round brought no majority: what was known stays, with its bound."""
        with self._lock:
            if self._trust:
                self._trust = self._trust.held()
            disturbance = self._refresh()
        self._tell(disturbance, None)

    def suppose(self, claim: Claim | None) -> None:
        """Take what the HTTP Dates say together."""
        with self._lock:
            self._http = claim
            disturbance = self._refresh()
        self._tell(disturbance, None)

    def rungs(self) -> list[Claim]:
        """Return what each rung of the ladder claims now, best rung first."""
        hands = self._host.hands()
        claims = (self._ntp(), self._kernel(hands), self._http)
        return [claim for claim in claims if claim is not None]

    # -- looking after itself

    def on_disturbance(self, listener: Callable[[], None]) -> None:
        """Call `listener`, in whatever thread notices, when one of the host's clocks was moved."""
        self._listeners.append(listener)

    def on_movement(self, listener: Callable[[float], None]) -> None:
        """Tell `listener` by how many seconds what was measured before may be off since."""
        self._movement = listener

    def suspect(self) -> None:
        """Have the time checked at once: something from outside suggests that it is wrong."""
        self._suspected = True
        self._ask()

    def _ask(self) -> None:
        for listener in self._listeners:
            listener()

    def _look(self, at: int) -> None:
        """Do what is due every 100 ms, unless another thread does; only the first is awaited."""
        if self._until and self._lock.locked():
            return
        with self._lock:  # by `with` alone: a Ctrl-C behind `acquire` would leave it taken
            if at < self._until:
                return
            disturbance = self._refresh()
        self._tell(disturbance, None)

    def _refresh(self) -> Disturbance | None:
        """Publish what is known now; return what was moved, for `_tell` without the lock."""
        hands = self._host.hands()
        disturbance = self._watch(hands)
        self._publish(hands)
        if disturbance is not None:
            self._hold_requests()
        return disturbance

    def _watch(self, hands: Hands) -> Disturbance | None:
        disturbance = self._detector.look(hands)
        if disturbance is not None and self._http is not None:
            self._http = self._http.widened(disturbance.doubt)
        return disturbance

    def _hold_requests(self) -> None:
        """Let requests wait for the next round; if that fails, not for those after it."""
        if self._kept and self._reading.status == "unsynchronised":
            self._kept, self.settled, self._asked = False, False, None

    def _tell(self, disturbance: Disturbance | None, words: str | None) -> None:
        if disturbance is not None:
            self._movement(disturbance.doubt)
            now = self._host.boottime()
            if now - self._noted >= NOTE_EVERY:
                self._noted = now
                self._note(disturbance.words)
            self._ask()
        if words is not None:
            self._note(words)

    def _ntp(self) -> Claim | None:
        if self._trust is None:
            return None
        return self._trust.claim.widened(self._detector.doubt + self._trust.dispute)

    def _kernel(self, hands: Hands) -> Claim | None:
        return kernel_claim(self._host.kernel(), hands, target=self._max_error)

    def _publish(self, hands: Hands) -> None:
        """Make the best claim the reading of the next 100 ms."""
        soon = hands.boot + LOOK_EVERY
        claim = self._ntp()
        if claim is None or claim.bound_at(soon) > self._max_error:
            rungs = standing(claim, (self._kernel(hands), self._http), hands.boot)
            claim = climb(rungs, target=self._max_error, now=soon)
        if claim is None:
            theta = int((hands.wall - hands.boot) * NS)
            self._reading = Reading(theta, UNBOUNDED, "unsynchronised", "wall")
        else:
            bound = claim.bound_at(soon)
            status = "unsynchronised" if bound > self._max_error else claim.status
            theta, bound_ns = int(claim.theta * NS), int(bound * NS) + 1
            self._reading = Reading(theta, bound_ns, status, claim.source)
        self._until = int(hands.boot * NS) + LOOK_EVERY_NS

    # -- the first synchronisation

    def settle(self) -> None:
        """Say that a synchronisation has ended, either way: nobody waits any more."""
        self.settled = True

    def settling(self, now: float) -> float:
        """Return how many seconds a stamped request may still wait for the first synchronisation.

        The time runs from the first call, so `now` is of any one monotonic clock. Ask again after
        a few milliseconds rather than sleep it through: it falls to 0 when the answers are in.
        After a disturbance that leaves the clock unsure requests may wait for the next one too.
        """
        if self.settled:
            return 0.0
        if self._asked is None:
            self._asked = now
        return max(0.0, self._asked + self._settle_within - now)
