"""Two attempts at one request, the second begun when the answer of the first is late.

    for outcome in await port.race(first, spare): …     # the last one is the result

Rule 1: the first good outcome wins. A bad one does not win while the other attempt runs.
Rule 2: whoever has lost is ended at once and gives back what it held: a task is cancelled, a
        thread's socket is shut (`Timeouts.abandon`). One that had finished has its answer closed.
Rule 3: the first attempt runs where its caller waits, with no task and no thread of its own; a
        timer is armed when its request leaves. Only when that rings is a second one made.
Rule 4: threads for second attempts are bounded; where none is free, there is no second attempt.
"""

from __future__ import annotations

from router.racing.alarm import Alarm
from router.racing.bell import Bell, bell_of
from router.racing.runner import Attempting, Lead, Runner, Spare
from router.racing.tasks import AsyncioRace
from router.racing.threads import BlockingRace

__all__ = [
    "Alarm",
    "AsyncioRace",
    "Attempting",
    "Bell",
    "BlockingRace",
    "Lead",
    "Runner",
    "Spare",
    "bell_of",
]
