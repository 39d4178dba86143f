"""Seconds as people read them: about three figures, or whole units where there are many."""

from __future__ import annotations

__all__ = ["signed", "span"]

MINUTE, HOUR, DAY = 60, 3600, 86400
FIGURES = (0.01, 0.1)


def span(seconds: float) -> str:
    """Return how long that is, without a sign: 14.2 ms, 1.302 s, 1 h 00 min 00 s."""
    size = abs(seconds)
    if size < 1:
        digits = sum(size < limit for limit in FIGURES)
        return f"{size * 1e3:.{digits}f} ms"
    return f"{size:.3f} s" if size < 2 * MINUTE else _whole(size)


def _whole(seconds: float) -> str:
    """Return it in days and hours, or down to the second."""
    if seconds >= 2 * DAY:
        days, hours = divmod(round(seconds / HOUR), DAY // HOUR)
        return f"{days} days {hours} h"
    minutes, rest = divmod(round(seconds), MINUTE)
    if minutes < HOUR // MINUTE:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, HOUR // MINUTE)
    return f"{hours} h {minutes:02d} min {rest:02d} s"


def signed(seconds: float) -> str:
    """Return the same with its sign: +1.302 s, -12.4 ms."""
    return f"{'-' if round(seconds, 5) < 0 else '+'}{span(seconds)}"
