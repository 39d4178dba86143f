"""F24: a process is stopped for a while and continued; what it and its servers saw of that."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import router
from router.testing import Regions, Reply, TokenServer

if TYPE_CHECKING:
    from router.testing import Received

__all__ = ["Stopped", "stopped"]

CHILD = Path(__file__).with_name("stopped_peer.py")
PATIENCE = 20.0
LIFETIME = 2
LATE = 1.0
"""Seconds that a request with a token that was good when it left may need to arrive."""


class Stopped(NamedTuple):
    """What was seen of a stop.

    Attributes:
        errors: of requests, in words.
        before: the order of the ranking before it.
        orders, health: all that the ranking showed after it.
        probes: requests of probes in the second after it.
        tokens: token requests in the second after it.
        expired: requests that came with a token that was no longer good.
        requests: that came in the second after it.
    """

    errors: list[str]
    before: tuple[str, ...]
    orders: set[tuple[str, ...]]
    health: set[str]
    probes: int
    tokens: int
    expired: int
    requests: int


class Guard:
    """Notes which requests carry a token whose life is over."""

    def __init__(self) -> None:
        self.first_seen: dict[str, float] = {}
        self.expired = 0

    def respond(self, request: Received) -> Reply:
        now = time.monotonic()
        began = self.first_seen.setdefault(request.headers["authorization"], now)
        self.expired += now - began > LIFETIME + LATE
        return Reply(200)


def stopped(seconds: float) -> Stopped:
    """Stop a process that routes, in the middle of a probe and of traffic, for so many seconds."""
    guard = Guard()
    with Regions(near=0.02, middle=0.06, far=0.15) as regions, TokenServer() as tokens:
        tokens.lifetime = LIFETIME
        for region in regions:
            region.respond = guard.respond
        child = _started(regions, tokens, deadline=seconds + PATIENCE)
        try:
            assert child.stdin is not None
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            _stop_in_a_probe(child, regions, seconds)
            before = _counts(regions, tokens)
            child.send_signal(signal.SIGCONT)
            time.sleep(1.0)
            after = _counts(regions, tokens)
            child.stdin.write("end\n")
            child.stdin.close()
            seen = json.loads(child.stdout.readline())
            assert child.wait(PATIENCE) == 0
        finally:
            child.kill()
            child.wait()
            if child.stdout is not None:
                child.stdout.close()
    assert seen["stops"], "it did not stop"
    probes, asked, requests = (b - a for a, b in zip(before, after, strict=True))
    return Stopped(
        errors=seen["errors"],
        before=tuple(seen["before"]),
        orders={tuple(order) for order in seen["orders"]},
        health=set(seen["health"]),
        probes=probes,
        tokens=asked,
        expired=guard.expired,
        requests=requests,
    )


def _started(regions: Regions, tokens: TokenServer, *, deadline: float) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(router.__file__).parents[1])},
    )
    token: dict[str, Any] = {"url": tokens.url, "client_id": "demo", "client_secret": "demo-secret"}
    endpoints = {region.name: region.url for region in regions}
    assert child.stdin is not None
    given = {"endpoints": endpoints, "token": token, "deadline": deadline}
    child.stdin.write(json.dumps(given) + "\n")
    child.stdin.flush()
    return child


def _stop_in_a_probe(child: subprocess.Popen[str], regions: Regions, seconds: float) -> None:
    came, until = _probes(regions), time.monotonic() + PATIENCE
    while _probes(regions) == came:
        assert time.monotonic() < until, "no probe came"
        time.sleep(0.001)
    child.send_signal(signal.SIGSTOP)
    time.sleep(seconds)


def _counts(regions: Regions, tokens: TokenServer) -> tuple[int, int, int]:
    return _probes(regions), tokens.requests, len(regions.received)


def _probes(regions: Regions) -> int:
    return sum(region.probes for region in regions)
