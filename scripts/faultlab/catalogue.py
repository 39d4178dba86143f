"""All rows of the page by their id, and the lines that a client makes of them.

Rule: a row is a function of a Lab; who takes part in it is said here.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from faultlab.broken import breaks_in_body, breaks_in_head, resets, stale_connections
from faultlab.handshakes import tls
from faultlab.hedging import everything_slow, gain, keyed_once
from faultlab.names import names
from faultlab.queueing import cancelled
from faultlab.redirects import redirected
from faultlab.refusals import all_refuse, connects_hang, refuses
from faultlab.routing import failing_half, many_endpoints, slower, steady
from faultlab.silence import drips, silent
from faultlab.stale_tokens import stale
from faultlab.statuses import again_once, callers_doing, failing, unavailable
from faultlab.store_outages import store_fails
from faultlab.storms import capacity_falls
from faultlab.token_garbage import garbage
from faultlab.token_outages import dead, odd_lifetimes, slow_refresh
from faultlab.waits import retry_after
from faultlab.wrong_clocks import clocks_apart

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from faultlab.lab import Lab
    from faultlab.row import Row

    Fault = Callable[[Lab], Awaitable[list[Row]]]

__all__ = ["ROWS", "lived"]


async def _slower(lab: Lab) -> list[Row]:
    return await slower(hold=lab.seconds(20, 6))


async def _failing_half(lab: Lab) -> list[Row]:
    return await failing_half(hold=lab.seconds(40, 4))


async def _steady(lab: Lab) -> list[Row]:
    return await steady(seconds=lab.seconds(60, 5))


async def _many_endpoints(lab: Lab) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return await many_endpoints(Path(folder), seconds=lab.seconds(20, 3))


ROWS: dict[str, Fault] = {
    "F01": refuses,
    "F02": silent,
    "F03": connects_hang,
    "F04": resets,
    "F05": breaks_in_head,
    "F06": breaks_in_body,
    "F07": drips,
    "F08": tls,
    "F09": names,
    "F10": retry_after,
    "F11": unavailable,
    "F11b": failing,
    "F12": callers_doing,
    "F13": again_once,
    "F14": stale,
    "F15": dead,
    "F16": slow_refresh,
    "F17": garbage,
    "F18": odd_lifetimes,
    "F29": all_refuse,
    "F30": _slower,
    "F31": _failing_half,
    "noise": _steady,
    "F32": capacity_falls,
    "F33": keyed_once,
    "F34": everything_slow,
    "gain": gain,
    "F36": cancelled,
    "F40": _many_endpoints,
    "F41": store_fails,
    "F42": clocks_apart,
    "F47": redirected,
    "F49": stale_connections,
}
TASKS_ONLY = frozenset({"F30", "F31", "noise", "F40", "F41", "F42"})


async def lived(row: str, lab: Lab) -> list[Row]:
    """Live through one row; none, where this client does not take part in it."""
    if row in TASKS_ONLY and lab.name != "tasks":
        return []
    return [line._replace(client=lab.name) for line in await ROWS[row](lab)]
