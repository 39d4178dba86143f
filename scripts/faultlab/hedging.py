"""F33, F34, and what hedging is for: a second request beside one that is late.

Rule 1: what may not be sent twice is not, and what may be carries one key.
Rule 2: when everything is slow nothing is gained by more of it, so hedges are a small share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import router
from faultlab.load import Load
from faultlab.row import Row, all_of, at_most
from router.testing.faults import Stall

if TYPE_CHECKING:
    from faultlab.lab import Lab
    from faultlab.load import Done
    from faultlab.stage import Stage

__all__ = ["everything_slow", "gain", "keyed_once"]

SHARE = 0.05
STALLS = Stall(0.5, 0.02, seed=0)
"""Of 2 % of the answers."""
PATIENT: dict[str, Any] = {"attempt_timeout": 2.0, "deadline": 5.0, "hedge": router.Hedge()}
VERY_PATIENT = {**PATIENT, "attempt_timeout": 10.0, "deadline": 20.0}
"""So that no attempt is given up on a busy machine: each POST is to be executed, and once."""
LEARNT = 300
MUCH = 4.0
CROWD = 50


async def keyed_once(lab: Lab) -> list[Row]:
    """F33: A is slow now and then; POSTs without a key, and with one."""
    if lab.peer is not None:
        return []
    fault = "F33 hedged POST"
    async with lab.stage(**VERY_PATIENT) as stage:
        stage.world["a"].fault = Stall(0.1, 0.05, seed=3)
        life = await stage.held(fault, "POST", lab.count(10_000, 400), at_once=CROWD)
        load = Load("POST", lab.count(2000, 400), at_once=4, keyed=True).numbered()
        keyed = await stage.subject.send(load)
        keys = _keys(stage, load)
    once = sum(times == 1 for times in life.executions.values())
    return [
        all_of(fault, "no key: executed exactly once", once, life.count),
        at_most(fault, "no key: requests beyond", life.tries - life.count, 0),
        all_of(fault, "key: one key on all attempts", sum(len(k) == 1 for k in keys), load.number),
        Row(fault, "key: some are hedged", str(_hedges(keyed)), _hedges(keyed) > 0),
    ]


def _keys(stage: Stage, load: Load) -> list[set[str]]:
    """Return the keys that came with each id."""
    found: dict[str, set[str]] = {name: set() for name in load.ids}
    for request in list(stage.world.received):
        key = request.headers.get("idempotency-key")
        name = request.target.partition("id=")[2]
        if name in found:
            found[name].add(key or "")
    return list(found.values())


def _hedges(done: list[Done]) -> int:
    return sum(one.hedges for one in done)


async def everything_slow(lab: Lab) -> list[Row]:
    """F34: every region becomes slow; with a budget, and with none."""
    if lab.peer is not None:
        return []
    fault = "F34 all slow, hedging"
    rows = []
    for words, budget in (("", 500), ("budget empty: ", 1)):
        async with lab.stage(**PATIENT, retry_budget=budget) as stage:
            await stage.send("GET", LEARNT)
            for region in stage.world:
                region.latency *= MUCH * MUCH
            life = await stage.held(fault, "GET", lab.count(1000, 200))
        bound = SHARE * (LEARNT + life.count) + 1 if budget > 1 else 0.0  # of all that was sent
        extra = max(life.attempts - life.count, _hedges(life.done))
        rows.append(at_most(fault, f"{words}extra requests", extra, bound))
    return rows


async def gain(lab: Lab) -> list[Row]:
    """Hedging gain: 2 % of the answers stall for half a second."""
    if lab.peer is not None:
        return []
    fault, count = "hedging gain", lab.count(2000, 800)
    async with (
        lab.stage(**{**PATIENT, "hedge": None}) as plain,
        lab.stage(**PATIENT) as hedged,
    ):
        for stage in (plain, hedged):
            await stage.send("GET", LEARNT)
            for region in stage.world:
                region.fault = STALLS
        without = await plain.held(fault, "GET", count)
        with_hedges = await hedged.held(fault, "GET", count)
    ratio = with_hedges.p99 / without.p99
    extra = with_hedges.attempts / count - 1
    return [
        Row(
            fault,
            "p99 at most 0.45 x",
            f"{ratio:.2f} x: {with_hedges.p99 * 1e3:.0f} of {without.p99 * 1e3:.0f} ms",
            ratio <= 0.45,  # noqa: PLR2004
        ),
        Row(fault, "for at most 5 % more requests", f"{extra:.1%}", extra <= SHARE),
    ]
