"""What docs/fleet.md claims of many processes, measured anew, in one table.

    python tests/shared/fleet_figures.py [--seconds 30] [--processes 64]

Rule: every process is one of its own, Redis is real, and the figure stands beside what is claimed.
      The burst is measured over all stretches of time, by the clock that all processes share.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from redis_server import FAKED, FAKETIME, redis_server
from sharing_bench import bench, nap, until, workers, worst_term

from router.testing.oauth import TokenServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from redis_server import RedisServer

__all__ = ["main"]

LIMIT, BURST = 100, 10
TIMEOUT = 1.0
"""Seconds: what a busy machine does to an answer is no outage of Redis, which may cost a burst."""
SLOTS, LEASE = 5, 1.0
SHIFTS = ("-3600s", "+3600s", "-3600s", "+3600s")
SECONDS, PROCESSES = 30.0, 64


@dataclass(frozen=True, slots=True)
class Figure:
    """One row."""

    what: str
    claimed: str
    seen: str
    holds: bool


def rate(
    server: RedisServer, what: str, environs: Sequence[Mapping[str, str]], seconds: float
) -> Iterator[Figure]:
    """Have each process spend what it gets."""
    job = {
        "job": "rate",
        "url": server.url,
        "rate": f"{LIMIT}/s",
        "burst": BURST,
        "timeout": TIMEOUT,
    }
    with workers(*environs, **job, seconds=seconds) as started:
        for worker in started:
            worker.go()
        answers = [worker.says() for worker in started]
    spent = sorted(at for answer in answers for at in answer["spent"])
    yield from _admitted(what, spent, seconds)
    counts = [answer["count"] for answer in answers]
    walls = [answer["wall"] for answer in answers]
    apart = f"; clocks apart by {max(walls) - min(walls):.0f} s" if any(environs) else ""
    alone = sum(answer["alone"] for answer in answers)
    yield Figure(
        "  of which the least and the most in a process",
        "fair",
        f"{min(counts)}, {max(counts)}{apart}; by the share: {alone}",
        min(counts) > sum(counts) / len(counts) / 3,
    )


def _admitted(what: str, spent: list[float], seconds: float) -> Iterator[Figure]:
    first = spent[0]
    count = sum(at < first + seconds for at in spent)
    ratio, term = count / (LIMIT * seconds), worst_term(spent, LIMIT)
    yield Figure(
        f"{what}: admitted / limit x {seconds:g} s",
        f"<= {1 + BURST / (LIMIT * seconds):.3f}",
        f"{ratio:.3f} ({count})",
        LIMIT * seconds * 0.97 <= count <= LIMIT * seconds + BURST,
    )
    yield Figure("  burst over any stretch of time", f"<= {BURST}", f"{term:.1f}", term <= BURST)


def one_killed(server: RedisServer, seconds: float) -> Iterator[Figure]:
    """Kill one of four while it spends; it has told nothing of what it spent."""
    job = {
        "job": "rate",
        "url": server.url,
        "rate": f"{LIMIT}/s",
        "burst": BURST,
        "timeout": TIMEOUT,
    }
    with workers(*[{}] * 4, **job, seconds=seconds) as started:
        for worker in started:
            worker.go()
        nap(seconds / 3)
        started[0].process.kill()
        killed = time.monotonic()
        spent = sorted(at for worker in started[1:] for at in worker.says()["spent"])
    after = sum(killed + 1 <= at < killed + seconds / 2 for at in spent)
    share = after / (LIMIT * (seconds / 2 - 1))
    yield Figure(
        "kill -9 of one in four: the others' part of the limit, 1 s later",
        "1",
        f"{share:.3f}",
        0.95 < share < 1 + BURST / (LIMIT * (seconds / 2 - 1)),
    )


def permits_of_a_killed_one(server: RedisServer) -> Iterator[Figure]:
    """Kill who holds all permits, and wait for them."""
    job = {"job": "permits", "url": server.url, "most": SLOTS, "hold": SLOTS, "lease": LEASE}
    with workers({}, **job) as (holder,), bench(server.url, lease=LEASE) as made:
        permits = made.sharing.permits(SLOTS)
        made.start()
        nap(LEASE)
        early = permits.take(time.monotonic(), waiting=SLOTS) == 0
        holder.process.kill()
        killed = time.monotonic()
        for _ in range(SLOTS):
            until(lambda: permits.take(time.monotonic(), waiting=SLOTS) == 0)
        took = time.monotonic() - killed
    yield Figure(
        f"kill -9 of who holds {SLOTS} permits: until another has them",
        f"<= {LEASE:g} s",
        f"{took:.2f} s",
        not early and took < LEASE + 0.3,
    )


def tokens(server: RedisServer, processes: int) -> Iterator[Figure]:
    """Let many processes want the token at once."""
    with TokenServer() as auth:
        auth.delay = 0.2
        job = {"job": "token", "url": server.url, "key": "a key", "server": auth.url}
        job |= {"client_id": auth.client_id, "client_secret": auth.client_secret}
        with workers(*[{}] * processes, **job) as started:
            began = time.monotonic()
            for worker in started:
                worker.go()
            got = {worker.says()["token"] for worker in started}
            took = time.monotonic() - began
        yield Figure(
            f"{processes} processes without a token: token requests",
            "1",
            f"{auth.requests}, all served in {took:.1f} s",
            auth.requests == len(got) == 1,
        )


def figures(seconds: float, processes: int) -> Iterator[Figure]:
    """Measure everything, each on a server of its own."""
    jobs: list[Callable[[RedisServer], Iterator[Figure]]] = [
        lambda server: rate(server, "4 processes", [{}] * 4, seconds),
        lambda server: one_killed(server, seconds),
        permits_of_a_killed_one,
        lambda server: tokens(server, processes),
    ]
    if FAKETIME.exists():
        shifted = [{**FAKED, "FAKETIME": shift} for shift in SHIFTS]
        jobs.insert(1, lambda server: rate(server, "4, clocks -1 h and +1 h", shifted, seconds))
    for job in jobs:
        with tempfile.TemporaryDirectory() as home, redis_server(Path(home)) as server:
            yield from job(server)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Print the table; return 1 if something is not as claimed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--processes", type=int, default=PROCESSES)
    options = parser.parse_args()
    load, well = os.getloadavg()[0], True
    say(f"{'':<66}{'claimed':>10}  seen")
    for row in figures(options.seconds, options.processes):
        well &= row.holds
        say(f"{row.what:<66}{row.claimed:>10}  {row.seen}{'' if row.holds else '  NO'}")
    say(f"{os.cpu_count()} cores, load {load:.1f} before and {os.getloadavg()[0]:.1f} after")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
