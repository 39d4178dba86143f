"""How much a wire holds, for all wires alike.

Rule: they are looked up when a pool is opened, so that a test may set them.
"""

from __future__ import annotations

__all__ = ["CLOSED", "IDLE_SECONDS", "MOST_CONNECTIONS", "MOST_HEAD", "MOST_IDLE"]

MOST_CONNECTIONS = 1000
MOST_IDLE = 20
"""The core looks at idle connections for each request: with 100, bursts took 7 times as long."""
IDLE_SECONDS = 30.0
MOST_HEAD = 100 * 1024
"""Bytes of an answer's head, those before it that announce it included; the core's own bound."""
CLOSED = "this client is closed: make a new one"
