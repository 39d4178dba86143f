"""F11, F11b, F12, F13: answers with a status that says that something is wrong, and with whom.

Rule: what the server did not process goes elsewhere; what may be processed is repeated only where
      that is safe; what is the caller's doing is the caller's to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faultlab.refusals import back
from faultlab.row import Row, all_of, at_most
from faultlab.stage import answering
from router.testing import replies

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from faultlab.life import Life
    from router.testing import Region

__all__ = ["again_once", "callers_doing", "failing", "unavailable"]

TWICE = 2


def _unavailable(region: Region) -> None:
    region.respond = replies.always(replies.unavailable(1))


def _most(life: Life) -> int:
    return max((len(one.tries) for one in life.done), default=0)


async def unavailable(lab: Lab) -> list[Row]:
    """F11: A answers 503, with and without Retry-After."""
    rows = []
    for fault, start in lab.some(
        (("F11 503", answering(503)), ("F11 503, Retry-After", _unavailable))
    ):
        for method in ("GET", "POST"):
            life = await lab.live(fault, start, method)
            rows += [
                all_of(fault, f"{method}: all answered", life.good, life.count),
                at_most(fault, f"{method}: tries of a request", _most(life), TWICE),
                back(life),
            ]
        if lab.peer is None:
            safe = await lab.live(fault, start, "POST", failover={"repeat": "safe"}, heal=False)
            again = safe.tries - safe.count
            rows.append(at_most(fault, "repeat safe, POST: sent again", again, 0))
    return rows


async def failing(lab: Lab) -> list[Row]:
    """F11b: A answers 500, 502, 504."""
    rows = []
    for status in lab.some((500, 502, 504)):
        fault, start = f"F11b {status}", answering(status)
        get = await lab.live(fault, start, "GET", 300)
        post = await lab.live(fault, start, "POST", 300)
        rows += [
            all_of(fault, "GET: all answered", get.good, get.count),
            back(get),
            at_most(fault, "POST: sent again", post.tries - post.count, 0),
        ]
        if lab.peer is None:
            always = await lab.live(
                fault, start, "POST", 300, failover={"repeat": "always"}, heal=False
            )
            rows.append(all_of(fault, "repeat always, POST: answered", always.good, always.count))
    return rows


async def callers_doing(lab: Lab) -> list[Row]:
    """F12: A answers 412, 409, 422: nothing is wrong with A."""
    rows = []
    for status in lab.some((409, 412, 422)):
        fault = f"F12 {status}"
        for method in ("GET", "POST"):
            life = await lab.live(fault, answering(status), method, 300)
            read = sum(one.status == status for one in life.done if one.region == "a")
            rows += [
                at_most(fault, f"{method}: sent again", life.tries - life.count, 0),
                all_of(fault, f"{method}: the caller gets A's answer", read, life.at_home),
                at_most(fault, f"{method}: A is left", _left(life), 0.5),
            ]
    return rows


def _left(life: Life) -> float:
    """Return the share of the later half that did not go to A."""
    later = life.done[life.count // 2 :]
    return sum(one.region != "a" for one in later) / len(later) if later else 0.0


async def again_once(lab: Lab) -> list[Row]:
    """F13: every region answers 408, 421 or 425: who asks for the same again is obeyed once."""
    rows = []
    for status in (408, 421, 425):
        fault = f"F13 {status}"
        for method in ("GET", "POST"):
            twice = method == "GET" or status == 421  # noqa: PLR2004 - misdirected: not processed
            asked = TWICE if twice else 1
            life = await _everywhere(lab, fault, status, method)
            exact = sum(len(one.tries) == asked and one.status == status for one in life.done)
            words = f"{method}: sent {'twice' if twice else 'once'}, and its status told"
            rows.append(all_of(fault, words, exact, life.count))
        life = await lab.live(fault, answering(status), "GET", 300)
        rows += [all_of(fault, "GET: A only: all answered", life.good, life.count), back(life)]
    return rows


async def _everywhere(lab: Lab, fault: str, status: int, method: str) -> Life:
    async with lab.stage() as stage:
        for region in stage.world:
            answering(status)(region)
        return await stage.held(fault, method, 10 if lab.takes(method) else 0, at_once=1)
