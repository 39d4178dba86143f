"""The policies by the names that tables and options call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from traffic import peers
from traffic.finagle import PeakEwma, PeakEwmaOfAll
from traffic.litellm import LastTen
from traffic.mongodb import LatencyWindow
from traffic.oracle import Oracle
from traffic.ours import ours

if TYPE_CHECKING:
    from traffic.world import Policy

__all__ = ["ORACLE", "OURS", "POLICIES", "WORDS"]

OURS = "ours"
ORACLE = "oracle"

POLICIES: dict[str, Policy] = {
    ORACLE: Oracle,
    OURS: ours,
    "random": peers.Random,
    "round-robin": peers.RoundRobin,
    "nearest": peers.Nearest,
    "litellm": LastTen,
    "mongodb": LatencyWindow,
    "least-requests": peers.LeastRequests,
    "peak-ewma": PeakEwma,
    "peak-ewma-of-all": PeakEwmaOfAll,
}

WORDS = {
    ORACLE: "who knows every queue and every fault",
    OURS: "this router",
    "random": "any region",
    "round-robin": "each in turn",
    "nearest": "the nearest by geography",
    "litellm": "lowest average of the last 10, with cooldown",
    "mongodb": "EWMA of heartbeats and a window of 15 ms",
    "least-requests": "the less busy of two",
    "peak-ewma": "the cheaper of two by Peak-EWMA x (in flight + 1), as in Finagle",
    "peak-ewma-of-all": "the cheapest of all by the same",
}
