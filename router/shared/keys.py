"""What the keys in Redis are called.

Rule 1: `NAME:v1:{PART}:WHAT`. The braces are a hash tag: the keys of one part lie in one slot of a
        cluster, so that one script may use them all; different parts spread.
Rule 2: the version changes with the meaning, so that old and new processes never share a key.
Rule 3: every key expires; what it is worth when it is gone is said where it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from router.rates import Bound

__all__ = ["MAIN", "Keys", "name_of"]

VERSION = "v1"
MAIN = "main"
"""The name of what there is one of."""
UNFIT = re.compile(r"[^A-Za-z0-9_.:/@-]")


def name_of(number: int, bound: Bound) -> str:
    """Return the name of the n-th rate of `limits:`."""
    return f"{number}.{bound.of}"


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys under one name."""

    name: str

    def rate(self, name: str) -> tuple[str, str, str, str, str]:
        """Return a rate's: its state, the hungry, ends of leases, units by holder, idle time."""
        whats = ("tat", "hungry", "ends", "held", "idle")
        tat, hungry, ends, held, idle = self._of(f"rate:{name}", *whats)
        return tat, hungry, ends, held, idle

    def permits(self, name: str) -> tuple[str, str, str]:
        """Return those of permits: ends of leases, permits by holder, the hungry."""
        ends, held, hungry = self._of(f"permits:{name}", "ends", "held", "hungry")
        return ends, held, hungry

    def members(self) -> str:
        """Return where processes say that they are there."""
        return self.key("members", "there")

    def _of(self, part: str, *whats: str) -> list[str]:
        return [self.key(part, what) for what in whats]

    def key(self, part: str, what: str) -> str:
        """Return a key of a part, such as `limit:main`."""
        return f"{self.name}:{VERSION}:{{{UNFIT.sub('_', part)}}}:{what}"
