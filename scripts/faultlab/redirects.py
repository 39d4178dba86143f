"""F47: a redirect to another origin, which is not to learn any credential.

Rule: what is planted is looked for in all headers that the stranger gets, whatever they are called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlab.row import Row, all_of, at_most
from faultlab.world import World, well
from router.testing import TokenServer, replies

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from router.testing import Received

__all__ = ["redirected"]

COUNT = 20
TEMPORARY = 307
PLANTED = (
    ("Authorization", "Bearer planted-1"),
    ("X-Api-Key", "planted-2"),
    ("Cookie", "session=planted-3"),
    ("Proxy-Authorization", "Basic planted-4"),
)
FREE_OF_TOKEN = PLANTED[1:]
"""Where the router sends its own token, the caller's Authorization is not sent at all."""


async def redirected(lab: Lab) -> list[Row]:
    """F47: every region redirects to a stranger; by default, and followed."""
    fault = "F47 redirect"
    if not lab.takes("GET"):
        return []
    rows = []
    with World(stranger=0.002) as outside, TokenServer() as tokens:
        stranger = outside["stranger"]
        stranger.respond = well("stranger")
        for with_token in (False, True) if lab.peer is None else (False,):
            sections = {"token": tokens.settings()} if with_token else {}
            headers = FREE_OF_TOKEN if with_token else PLANTED
            words = "own token: " if with_token else ""
            stranger.received.clear()
            async with lab.stage(sections=sections) as stage:
                for region in stage.world:
                    region.respond = replies.always(replies.redirect(f"{stranger.url}/steal"))
                done = await stage.send("GET", COUNT, headers=headers)
                asked, told = len(stranger.received), sum(o.status == TEMPORARY for o in done)
                await stage.send("GET", COUNT, headers=headers, follow=True)
            rows += [
                at_most(fault, f"{words}default: requests to the stranger", asked, 0),
                all_of(fault, f"{words}default: the caller gets the redirect", told, COUNT),
                at_most(fault, f"{words}followed: credentials told", _told(stranger.received), 0),
            ]
    return rows


def _told(received: list[Received]) -> int:
    """Return how many requests carried a credential."""
    return sum(
        any(
            "planted" in value or name == "authorization" for name, value in request.headers.items()
        )
        for request in received
    )
