"""What the keys in Redis are called.

Rule 1: `NAME:v1:{PART}:WHAT`. The braces are a hash tag: the keys of one part lie in one slot of a
        cluster, so that one script may use them all; different parts spread.
Rule 2: the version changes with the meaning, so that old and new processes never share a key.
Rule 3: every key expires; what it is worth when it is gone is said where it is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Keys"]

VERSION = "v1"
UNFIT = re.compile(r"[^A-Za-z0-9_.:/@-]")


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys under one name."""

    name: str

    def key(self, part: str, what: str) -> str:
        """Return a key of a part, such as `limit:main`."""
        return f"{self.name}:{VERSION}:{{{UNFIT.sub('_', part)}}}:{what}"
