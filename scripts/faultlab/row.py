"""Lines of the table: what is asked of a fault, and what was seen."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Row", "all_of", "at_most"]


class Row(NamedTuple):
    """One line of the table: what is asked, what was seen, and whether that will do."""

    fault: str
    asked: str
    seen: str
    passed: bool
    client: str = ""


def at_most(fault: str, what: str, seen: float, bound: float, unit: str = "") -> Row:
    """Return the line of a figure with an upper bound; not a number fails."""
    asked = f"{what} at most {bound:.4g}{unit}"
    return Row(fault, asked, f"{seen:.4g}{unit}", seen <= bound)


def all_of(fault: str, what: str, seen: int, count: int) -> Row:
    """Return the line of something that has to hold of all."""
    return Row(fault, what, f"{seen} of {count}", seen == count)
