"""The wires: how a request of the flow becomes bytes on a connection, and an answer comes of them.

    interface   what a wire is, for threads and for tasks
    core        pools over the family's own core, httpcore or httpcore2
    fast        connections of our own, whose answers aiohttp's parser reads
    loops, threads    pools apart for each event loop, and pools that all threads share
    choice      which wire takes a request; what ports see

Rule 1: a connection goes to `endpoint.address` where that is set; Host and the TLS name stay the
        URL's. Certificates are always verified.
Rule 2: a pool a server. In one shared pool a request's time grows with the idle connections to
        other regions: with a hundred of them it took seven to fifteen times as long.
Rule 3: whichever wire it is, an error is one of the family's core, so that `Family.failure` stays
        the one place that says what it means.
"""

from __future__ import annotations

__all__: list[str] = []
