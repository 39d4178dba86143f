"""Over which wire a test's asynchronous clients go: each in turn, by the fixture `wire`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["OVER_EACH_WIRE", "WIRES", "is_of_threads"]

WIRES = ("aiohttp", "httpx")
OVER_EACH_WIRE = frozenset(
    {
        "test_cancelled",
        "test_departure",
        "test_failover_end_to_end",
        "test_forked",
        "test_giving_back",
        "test_at_once",
        "test_bounded_reads",
        "test_hostile_time",
        "test_hostile_wire",
        "test_injection",
        "test_many_loops",
        "test_net_pooling",
        "test_net_wire",
        "test_queue_left",
        "test_racing_sockets",
        "test_streams_broken",
        "test_streams_events",
        "test_streams_lengths",
        "test_streams_ranges",
        "test_streams_resume",
        "test_streams_sdk",
        "test_streams_silent",
        "test_times_of_attempts",
        "test_transport",
        "test_net_hygiene",
    }
)
"""Modules whose clients meet real sockets; those whose clients use threads alone run once."""
OF_THREADS = frozenset({"sync", "threads", "httpx sync", "httpx2 sync"})
BLOCKING_ASKERS = frozenset({"httpx", "httpx2"})  # as `four_clients` names them


def is_of_threads(module: str, given: Iterable[Any]) -> bool:
    """Return whether the parameters of a test name a client for threads."""
    named = [word for each in given for word in (each if isinstance(each, tuple) else (each,))]
    words = {word for word in named if isinstance(word, str)}
    blocking = module in {"test_at_once", "test_racing_sockets", "test_times_of_attempts"}
    return bool(words & (BLOCKING_ASKERS if blocking else OF_THREADS))
