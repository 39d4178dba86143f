"""Regions that let in who brings a granted token, and the token server that grants it.

Rule 1: the token server is a real one, and counts; when it was busy is known, to compare by.
Rule 2: a region asks whether a token was granted and not revoked, and never how old it is: that is
        for the client to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import router
from faultlab.world import well
from router.testing import TokenServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from faultlab.lab import Lab
    from faultlab.load import Done
    from faultlab.stage import Stage
    from faultlab.world import World
    from router.testing import Received, Region, Reply

__all__ = ["OK", "Guarded", "guarded"]

OK = 200
BEARER = "Bearer "
GIVEN_UP = 60.0
LOOK = 0.02
PATIENCE: dict[str, Any] = {"attempt_timeout": 10.0, "connect_timeout": 10.0, "deadline": 20.0}
"""So that no attempt is given up on a busy machine: regions are well in these rows."""
NO_PROBES = router.Probe(enabled=False)


class Watched(TokenServer):
    """A token server that knows when it was asked; `spells` are monotonic seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.spells: list[tuple[float, float]] = []

    def answer(self, authorization: str, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        """Decide on one token request, and note how long that took."""
        began = time.monotonic()
        decided = super().answer(authorization, form)
        self.spells.append((began, time.monotonic()))
        return decided

    def was_busy(self, at: float) -> bool:
        """Return whether a token request was under way then."""
        return any(began <= at <= ended for began, ended in self.spells)


@dataclass
class Guarded:
    """A stage, and the token server of its regions; `status` is answered whoever comes."""

    stage: Stage
    server: Watched
    status: int | None = None

    def let_in(self, region: Region) -> None:
        """Make a region ask for a token."""
        answers = {status: well(region.name, status) for status in (OK, 401, 403)}

        def respond(request: Received) -> Reply:
            token = request.headers.get("authorization", "").removeprefix(BEARER)
            known = OK if self.server.accepts(token) else 401
            return answers[self.status or known](request)

        region.respond = respond

    @property
    def tokens(self) -> set[str]:
        """The tokens that came with requests so far."""
        sent = (one.headers.get("authorization", "") for one in list(self.stage.world.received))
        return {value.removeprefix(BEARER) for value in sent}

    def told(self) -> dict[str, Any]:
        """Return what the router says of its token server."""
        shared = self.stage.shared
        assert shared.tokens is not None
        server: dict[str, Any] = shared.tokens.describe(shared.now())["servers"][0]
        return server

    def break_down(self, how: str) -> None:
        """Be `refused`, answer `500`, or be `hanging`."""
        if how == "refused":
            self.server.stop()
        self.server.status = 500 if how == "500" else None
        self.server.delay = GIVEN_UP if how == "hanging" else 0.0

    def mend(self) -> None:
        """Be well again, on the same port."""
        self.server.stop()
        self.server.status, self.server.delay = None, 0.0
        self.server.start()

    async def until_served(self) -> float:
        """Return the seconds until a request is answered."""
        began = time.monotonic()
        while time.monotonic() - began < GIVEN_UP:
            if served(await self.stage.send("GET", 1)):
                return time.monotonic() - began
            await asyncio.sleep(LOOK)
        return float("inf")


def served(done: list[Done]) -> int:
    """Return how many were let in."""
    return sum(one.status == OK for one in done)


@contextlib.asynccontextmanager
async def guarded(
    lab: Lab,
    world: World | None = None,
    *,
    lifetime: object = 3600,
    timeout: float = 10.0,
    **failover: Any,
) -> AsyncIterator[Guarded]:
    """Set up regions, a token server whose tokens live so long, and the client.

    `world`: in place of A, B and C; `timeout`: seconds for a token request; `failover`: as of a
    stage.
    """
    with Watched() as server:
        server.lifetime = lifetime
        token = replace(server.settings(), timeout=timeout)
        sections = {"token": token, "probe": NO_PROBES}
        async with lab.stage(world, sections=sections, **{**PATIENCE, **failover}) as stage:
            made = Guarded(stage, server)
            for region in stage.world:
                made.let_in(region)
            yield made
