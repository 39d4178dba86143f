"""A process of a fleet: it says that it is ready, sends when it is told to, and tells what it saw.

    python fleet_process.py '{"url": …, "redis": …, "rate": …, "seconds": …}'

Rule: it waits in asyncio only; under libfaketime waits of other kinds last as long as its clock is
      wrong.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from typing import Any

import router
from faultlab.clients import Tasks
from faultlab.fleet import BURST, LIMIT, PATIENCE
from faultlab.lab import FAILOVER
from faultlab.load import Load
from faultlab.waiting import until
from router.config.settings import ShareSettings
from router.secret import Secret
from router.units import Rate

__all__ = ["serve"]

PATIENT = 0.5
"""Seconds for an answer of the store: a busy machine is no outage."""


async def serve(url: str, redis: str, rate: float, seconds: float) -> None:
    """Send GETs at a rate for so long, once a line was read."""
    config = router.Config(
        endpoints=(router.Endpoint(name="a", url=url),),
        limits=router.Limits(rate=Rate(LIMIT, 1), burst=BURST),
        share=ShareSettings(url=Secret(redis), timeout=PATIENT),
        probe=router.Probe(enabled=False),
        failover=router.Failover(**{**FAILOVER, **PATIENCE}),
    )
    client = Tasks(config, router.AsyncClient)
    client.shared.start()
    await until(lambda: bool(_told(client)["up"]))
    print(json.dumps("ready"), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    done = await client.send(Load("GET", round(rate * seconds), rate=rate).numbered())
    errors = Counter(one.error for one in done if not one.good)
    admitted = [one.at + one.waited for one in done if one.good]
    told = {"admitted": admitted, "errors": errors, "wall": time.time(), **_told(client)}
    print(json.dumps(told), flush=True)
    await client.close()


def _told(client: Tasks) -> dict[str, Any]:
    shared: dict[str, Any] = client.shared.snapshot()["shared"]
    return shared


if __name__ == "__main__":
    asyncio.run(serve(**json.loads(sys.argv[1])))
