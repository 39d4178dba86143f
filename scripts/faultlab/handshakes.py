"""F08: TLS with a certificate that is no good, or no TLS at all.

Rule: who cannot prove who it is gets no byte of a request.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from faultlab.refusals import METHODS, back
from faultlab.row import Row, all_of, at_most
from faultlab.world import World
from router.testing import Certificates
from router.testing.faults import CloseHandshake, HangHandshake, OtherCertificate

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from faultlab.life import Life
    from faultlab.stage import Breaking, Stage
    from router.testing import Region
    from router.testing.faults import Fault

__all__ = ["tls"]

EACH = 200


async def tls(lab: Lab) -> list[Row]:
    """F08: A's certificate is expired, wrong or untrusted; its handshake hangs, or ends."""
    if lab.peer is not None:
        return []  # they have no way to trust the regions' names
    made, rows = Certificates(), []
    faults: dict[str, Breaking] = {
        "expired": _anew(OtherCertificate(made.expired("a.test"))),
        "wrong name": _anew(OtherCertificate(made.wrong_name())),
        "self-signed": _anew(OtherCertificate(made.untrusted("a.test"))),
        "handshake hangs": _anew(HangHandshake()),
        "handshake is closed": _anew(CloseHandshake()),
        "handshake is reset": _anew(CloseHandshake(reset=True)),
        "plain HTTP": _plain,
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, start in lab.some(faults.items()):
            for method in METHODS:
                world, sections = World(made), {"tls": made.settings(Path(folder))}
                async with lab.stage(world, sections=sections) as stage:
                    life = await _lived(stage, f"F08 {name}", start, method, lab.count(EACH, 60))
                lab.lives.append(life)
                rows += _lines(life)
    return rows


def _anew(fault: Fault) -> Breaking:
    """Return what breaks A so, for connections that are made anew."""

    def start(region: Region) -> None:
        region.fault = fault
        region.reset_connections()

    return start


def _plain(region: Region) -> None:
    region.tls = None
    region.reset_connections()


async def _lived(stage: Stage, fault: str, start: Breaking, method: str, count: int) -> Life:
    home = stage.world["a"]

    def begin(region: Region) -> None:
        start(region)
        home.received.clear()

    life = await stage.live(fault, begin, method, count, heal=False, rate=100.0)
    life.at_home = len(home.received)
    stage.world.heal()
    life.back = await stage.until_back(method, 1.0)
    return life


def _lines(life: Life) -> list[Row]:
    return [
        all_of(life.fault, f"{life.method}: all answered", life.good, life.count),
        at_most(life.fault, f"{life.method}: requests that A could read", life.at_home, 0),
        back(life),
    ]
