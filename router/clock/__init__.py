"""When: UTC with an error bound, without touching the host's clock.

Read in this order: `ntp` (one exchange as arithmetic), `select` (which servers to believe), `clock`
(what readers see), `exchange` (the network), `sync` (the schedule), `stamp` (the request header).
The modules that need an event loop are not imported here.
"""

from router.clock.clock import UNBOUNDED, Clock, Stamp
from router.clock.stamp import Stamper, write

__all__ = ["UNBOUNDED", "Clock", "Stamp", "Stamper", "write"]
