"""When: UTC with an error bound, without touching the host's clock.

Read in this order: `ntp` (one exchange as arithmetic), `select` (which servers agree), `trust`
(which majority is believed), `dates` and `tracker` (what HTTP answers tell), `ladder` (which source
serves), `disturbance` (when the host's own clocks are moved), `clock` (what readers see), `stamp`
(the request header), `keeper` (what the flow asks). Then the network: `exchange`, `source`,
`schedule` and `sync`, which need an event loop and are not imported here.
"""

from router.clock.clock import Clock
from router.clock.reading import UNBOUNDED, Stamp
from router.clock.stamp import Stamper, write

__all__ = ["UNBOUNDED", "Clock", "Stamp", "Stamper", "write"]
