"""What operators should read in the log, told off the request's path.

Rule: a part notes a sentence, which costs an append; the background hands it to logging, whose
      handlers may be slow.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque

__all__ = ["Journal"]

logger = logging.getLogger("router")

MOST_KEPT = 1000
TELL_EVERY = 0.2


class Journal:
    """Carries sentences from the parts to the log."""

    def __init__(self) -> None:
        self._notes: deque[tuple[int, str]] = deque(maxlen=MOST_KEPT)

    def note(self, sentence: str, *, level: int = logging.WARNING) -> None:
        """Keep a sentence for the log; never blocks."""
        self._notes.append((level, sentence))

    def tell(self) -> None:
        """Log what was noted."""
        while self._notes:
            logger.log(*self._notes.popleft())

    async def run(self) -> None:
        """Log what is noted, until cancelled."""
        try:
            while True:
                self.tell()
                await asyncio.sleep(TELL_EVERY)
        finally:
            self.tell()
