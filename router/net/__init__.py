"""The network under the wire: names, connections and streams, with time limits that hold.

Rule: a wait here ends when the request's own time does, whatever the peer does meanwhile.
"""

from __future__ import annotations

__all__: list[str] = []
