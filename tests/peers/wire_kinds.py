"""Over which wire a test's clients go: each in turn, by the fixture `wire`."""

from __future__ import annotations

__all__ = ["OVER_EACH_WIRE", "WIRES"]

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
        "test_threads_left",
        "test_times_of_attempts",
        "test_transport",
        "test_net_hygiene",
    }
)
"""Modules whose clients meet real sockets."""
