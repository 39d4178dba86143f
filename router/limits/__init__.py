"""The shared limit: `gcra` is the arithmetic, `limiter` the queue, `acquire` the wait."""
