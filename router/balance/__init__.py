"""Which: cost and order, constraints, ejection, and the pool that owns all endpoint state."""
