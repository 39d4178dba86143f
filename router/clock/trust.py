"""Which majority of NTP servers is believed.

Rule 1: a new majority that agrees with the last one narrows it; after a suspicion it takes its
        place, since a pause of the host may hide in both bounds together.
Rule 2: one that contradicts it is believed, and a step is told, unless enough servers of the last
        one still vouch for the old time (half as many as contradict it: `sync`): then a majority
        of liars is as likely as a host that paused. The old offset stays, and its bound covers
        both, until the servers agree again or the HTTP Dates side with the new time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from router.clock.ladder import Claim
from router.clock.select import clipped, meet

if TYPE_CHECKING:
    from router.clock.reading import Status
    from router.clock.select import Interval, Selection

__all__ = ["Trust", "believe"]

FULL_QUORUM = 4


class Trust(NamedTuple):
    """The last believed majority, and by how many seconds a disputing one widens its bound."""

    claim: Claim
    dispute: float = 0.0

    def held(self) -> Trust:
        """Return the same after a round that brought no majority."""
        return self._replace(claim=self.claim._replace(status="holdover"))


def believe(
    trust: Trust | None,
    selection: Selection,
    now: float,
    *,
    doubt: float,
    vouched: bool,
    dates: Claim | None,
    narrow: bool = True,
) -> tuple[Trust, str | None]:
    """Return what is trusted after a majority spoke, and what is to be told of it.

    Args:
        trust: what was trusted before.
        selection: what the majority says.
        now: boot time in seconds.
        doubt: seconds by which the host's clocks may have moved since `trust`.
        vouched: whether enough servers of the last believed majority vouch for its time.
        dates: what the HTTP Dates say.
        narrow: whether what was trusted may narrow the new.
    """
    status: Status = "synchronised" if len(selection.used) >= FULL_QUORUM else "degraded"
    said = Claim(selection.theta, selection.bound, selection.taken, status, "ntp")
    new, words = said.interval(now), None
    if trust is not None:
        old = trust.claim.widened(doubt).interval(now)
        if meet(new, old):
            new = (max(new[0], old[0]), min(new[1], old[1])) if narrow else new
        elif vouched and not _side_with(dates, new, old, now):
            return _disputed(trust, new, old)
        else:
            words = (
                f"the NTP servers now agree on a time {_apart(new, old):+.3f} s from the old one"
            )
    theta, bound = clipped(selection.theta, new)
    return Trust(said._replace(theta=theta, bound=bound, taken=now)), words


def _disputed(trust: Trust, new: Interval, old: Interval) -> tuple[Trust, str | None]:
    farther = max(new[1] - old[1], old[0] - new[0])
    after = trust.held()._replace(dispute=max(farther, trust.dispute))
    if trust.dispute:
        return after, None
    return after, (
        f"a majority of the NTP servers moved by {_apart(new, old):+.3f} s, and others vouch for "
        "the old time: the old offset is kept, and its bound covers both"
    )


def _side_with(dates: Claim | None, new: Interval, old: Interval, now: float) -> bool:
    """Return whether the HTTP Dates allow the new time and rule the old one out."""
    if dates is None:
        return False
    allowed = dates.interval(now)
    return meet(allowed, new) and not meet(allowed, old)


def _apart(new: Interval, old: Interval) -> float:
    return (new[0] + new[1] - old[0] - old[1]) / 2
