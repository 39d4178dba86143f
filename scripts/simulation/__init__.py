"""A day in the life of a clock, in about a second: `scripts/simulate_clock.py` tells the figures.

Rule 1: what is judged is the production code: Clock, Synchroniser, select, the bytes of NTP
        packets, Keeper and Dates. Simulated is only what it stands on: the host's clocks, the
        network, the servers' clocks, and the passing of time.
Rule 2: time is virtual. The event loop jumps to the next moment at which something happens; its
        `time()` is the true time, which nothing under test can see.
Rule 3: chance comes from seeded streams, one for each part of the world, so that a run can be
        repeated, and a part changed without changing the luck of the others.
Rule 4: the worlds are hostile within what is promised: paths are lopsided, packets queue, stall
        and get lost; honest clocks wander as far as their owners admit; crystals are as bad as
        crystals are. What is not promised (a majority of liars) is not simulated.

Read in this order: `loop` and `machine` (time), `network`, `ntp` (servers, honest and lying),
`regions` (HTTP servers with Dates), `day` (all of it together), `dating` (how soon Dates tell the
time), `figures` (the tables and bars).
"""
