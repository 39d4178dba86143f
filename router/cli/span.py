"""Seconds as people read them, to about three figures."""

from __future__ import annotations

__all__ = ["signed", "span"]

LONG = ((2 * 86400.0, 86400.0, "days"), (7200.0, 3600.0, "h"), (120.0, 60.0, "min"))
FIGURES = (0.01, 0.1)


def span(seconds: float) -> str:
    """Return how long that is, without a sign: 14.2 ms, 1.302 s, 2.50 h."""
    size = abs(seconds)
    if size < 1:
        digits = sum(size < limit for limit in FIGURES)
        return f"{size * 1e3:.{digits}f} ms"
    for least, unit, name in LONG:
        if size >= least:
            return f"{size / unit:.2f} {name}"
    return f"{size:.3f} s"


def signed(seconds: float) -> str:
    """Return the same with its sign: +1.302 s, -12.4 ms."""
    return f"{'-' if round(seconds, 5) < 0 else '+'}{span(seconds)}"
