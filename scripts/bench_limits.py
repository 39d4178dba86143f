#!/usr/bin/env python3
"""What the limiter costs: python scripts/bench_limits.py [--quick].

One bar: to take a permit of a limit of this process costs at most 2 µs, for a rate, for a
concurrency and for both, and to give it back is in that. Beside it, in the same run: aiolimiter and
limits (in memory), where they are installed (the dependency group `bench`); they give nothing back.

Rule 1: what is compared takes turns, and medians are compared, so that a noisy machine is noisy to
        all of them alike.
Rule 2: nobody waits: the limits are so high that only the arithmetic is seen.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import platform
import random
import sys
import time
from statistics import median
from typing import TYPE_CHECKING, Any

import router
from router.limits.headers import said
from router.limits.limiter import Limiter

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["main"]

BAR = 2.0
HIGH, HIGHER = router.Rate(1e7, 1.0), router.Rate(1e8, 1.0)
JUDGED = ("router: rate", "router: concurrency", "router: rate and concurrency")
CHANCE = random.Random(1)


def main() -> int:
    """Run the benchmark; return 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smoke run: no bar is asked for")
    quick = parser.parse_args().quick
    print(f"Python {platform.python_version()} on {platform.machine()}; µs, median and best")
    figures = measured({**ours(), **peers()}, rounds=5 if quick else 200, count=2000)
    missed = False
    for name, times in figures.items():
        judged = name in JUDGED and not quick
        missed |= judged and median(times) > BAR
        verdict = f"  at most {BAR:g}: {median(times) <= BAR}" if judged else ""
        print(f"{name:40} {median(times):7.2f} {min(times):7.2f}{verdict}")
    return int(missed)


def measured(
    turns: dict[str, Callable[[int], float]], *, rounds: int, count: int
) -> dict[str, list[float]]:
    """Return the µs of one operation in each round, by name."""
    figures: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(rounds):
        for name in CHANCE.sample(list(turns), len(turns)):
            figures[name].append(turns[name](count) / count * 1e6)
    return figures


# -- ours


def ours() -> dict[str, Callable[[int], float]]:
    """Return what is measured of this package."""
    return {
        "router: rate": cycle(rate=HIGH, burst=10_000_000),
        "router: concurrency": cycle(concurrency=100),
        "router: rate and concurrency": cycle(rate=HIGH, burst=10_000_000, concurrency=100),
        "router: two rates": cycle(rate=(HIGH, HIGHER)),
        "router: requests and tokens, settled": settled(),
        "router: an answer's headers, six of limits": answers(),
    }


def cycle(**limits: Any) -> Callable[[int], float]:
    """Return what times permits that are taken and given back."""
    limiter = Limiter(router.Limits(**limits))

    def turn(count: int) -> float:
        admit, now = limiter.admit, time.monotonic
        began = time.perf_counter()
        for _ in range(count):
            admit(now()).give_back()  # type: ignore[union-attr]
        return time.perf_counter() - began

    return turn


def settled() -> Callable[[int], float]:
    """Return what times permits that reserve tokens, give them back and settle them."""
    limiter = Limiter(router.Limits(rate=(HIGH, router.Bound(HIGHER, of="tokens"))))
    reserved, used = (("tokens", 1200.0),), (("tokens", 800.0),)

    def turn(count: int) -> float:
        admit, now = limiter.admit, time.monotonic
        began = time.perf_counter()
        for _ in range(count):
            permit = admit(now(), costs=reserved)
            permit.give_back()  # type: ignore[union-attr]
            permit.settle(now(), costs=used)  # type: ignore[union-attr]
        return time.perf_counter() - began

    return turn


def answers() -> Callable[[int], float]:
    """Return what times the reading of an answer's headers, which is not on the way to a permit."""
    headers = [(b"Content-Type", b"application/json"), *((b"X-%d" % n, b"1") for n in range(9))]
    for of in (b"requests", b"tokens"):
        headers += [(b"x-ratelimit-limit-" + of, b"5000"), (b"x-ratelimit-reset-" + of, b"12ms")]
        headers.append((b"x-ratelimit-remaining-" + of, b"4999"))

    def turn(count: int) -> float:
        began = time.perf_counter()
        for _ in range(count):
            said(headers, time.time)
        return time.perf_counter() - began

    return turn


# -- others


def peers() -> dict[str, Callable[[int], float]]:
    """Return what is measured of other packages, where they are installed."""
    found: dict[str, Callable[[int], float]] = {}
    for made in (aiolimiter, in_memory):
        try:
            found |= made()
        except ModuleNotFoundError as error:
            print(f"without {error.name}", file=sys.stderr)
    return found


def aiolimiter() -> dict[str, Callable[[int], float]]:
    """Return aiolimiter's acquire, which gives nothing back."""
    package = importlib.import_module("aiolimiter")

    async def acquired(count: int) -> float:
        limiter = package.AsyncLimiter(1e9, 1.0)
        began = time.perf_counter()
        for _ in range(count):
            await limiter.acquire()
        return time.perf_counter() - began

    return {"aiolimiter: rate": lambda count: asyncio.run(acquired(count))}


def in_memory() -> dict[str, Callable[[int], float]]:
    """Return the hits of limits, each for one rate in memory."""
    package = importlib.import_module("limits")
    importlib.import_module("limits.strategies")
    item = package.parse("1000000000/second")

    def hits(strategy: Any) -> Callable[[int], float]:
        limiter = strategy(package.storage.MemoryStorage())

        def turn(count: int) -> float:
            began = time.perf_counter()
            for _ in range(count):
                limiter.hit(item, "account")
            return time.perf_counter() - began

        return turn

    strategies = package.strategies
    return {
        "limits: fixed window": hits(strategies.FixedWindowRateLimiter),
        "limits: sliding window counter": hits(strategies.SlidingWindowCounterRateLimiter),
    }


if __name__ == "__main__":
    sys.exit(main())
