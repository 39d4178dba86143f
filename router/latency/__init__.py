"""How fast: the RTT estimate, the probe schedule, and the probes."""
