"""The end of an asyncio server that leaves no connection behind."""

from __future__ import annotations

import asyncio

__all__ = ["stop_accepting"]

TURNS = 3


async def stop_accepting(server: asyncio.Server) -> None:
    """Accept no more, let what was just accepted be set up, and close.

    The order matters: asyncio loses a connection whose listener closes between the two, and a
    handler that is cancelled before it begins closes nothing.
    """
    for listening in server.sockets:
        asyncio.get_running_loop().remove_reader(listening.fileno())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    server.close()
