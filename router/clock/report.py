"""What is known of one NTP server, for people to read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["SourceReport", "Verdict"]

Verdict = Literal["used", "falseticker", "rejected", "dropped", "waiting"]


@dataclass(frozen=True, slots=True)
class SourceReport:
    """One configured server; times are in seconds, and None where it has brought none.

    Attributes:
        server: as configured.
        verdict: used (it is part of the majority), falseticker (the majority contradicts it),
            rejected (it brought nothing that can be used), dropped (it refused us and is not asked
            again), waiting (it has not been asked yet, or is being asked for the first time).
        reason: the verdict in words; empty where there is nothing to add.
        offset: how far this machine's wall clock is behind the server's; negative if ahead.
        delay: the round trip of the best sample.
        bound: how far the offset may be wrong.
        stratum: how many servers lie between it and a reference clock, itself counted.
        age: since the best sample was taken.
    """

    server: str
    verdict: Verdict
    reason: str = ""
    offset: float | None = None
    delay: float | None = None
    bound: float | None = None
    stratum: int | None = None
    age: float | None = None
