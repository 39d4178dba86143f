"""What a shared limit costs a request: leased ahead, beside `limits`, which asks Redis each time.

    pip install 'region-router[redis]' limits
    python scripts/bench_shared.py

One redis-server on loopback serves both, in one run. A call is timed by itself; what the clock
costs is measured and taken off.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import socket
import statistics
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

from router.background import Background
from router.config.settings import ShareSettings
from router.secret import Secret
from router.shared.sharing import Sharing
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from router.shared.permits import SharedPermits
    from router.shared.rate import SharedRate

CALLS = 20_000
PER_SECOND = 10_000
APART = 50e-6
WARM_UP = 0.5
STORE_UP_WITHIN = 5.0
SERVER_UP_WITHIN = 5.0
LIMITS_CALLS = 3_000
HUNDREDTHS = 100


@contextlib.contextmanager
def redis() -> Iterator[int]:
    """Start a server and yield its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", home]
        process = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
        try:
            _wait(lambda: _listens(port), SERVER_UP_WITHIN)
            yield port
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def _wait(true: Callable[[], object], within: float) -> None:
    until = time.monotonic() + within
    while not true():
        if time.monotonic() > until:
            raise SystemExit("it did not start in time")
        time.sleep(0.01)


def timed(call: Callable[[], object], count: int, apart: float) -> tuple[list[int], int]:
    """Return the nanoseconds of each call that got something, and how many did not."""
    times, missed, clock = [], 0, time.perf_counter_ns
    for _ in range(count):
        began = clock()
        got = call()
        ended = clock()
        if got:
            times.append(ended - began)
        else:
            missed += 1
        if apart:
            time.sleep(apart)
    return times, missed


def overhead() -> float:
    """Return the nanoseconds that timing nothing takes."""
    return statistics.median(timed(lambda: True, CALLS, 0)[0])


def tell(name: str, times: list[int], missed: int, clock: float) -> None:
    """Print a row."""
    cuts = statistics.quantiles(times, n=HUNDREDTHS)
    median, p99 = (max(0.0, cut - clock) / 1e3 for cut in (cuts[49], cuts[98]))
    print(f"{name:<44}{median:>10.2f}{p99:>10.2f}{missed:>10}")


def shared(port: int) -> tuple[SharedRate, SharedPermits, Background]:
    """Return what is leased, at work."""
    sharing = Sharing(ShareSettings(url=Secret(f"redis://127.0.0.1:{port}")))
    rate, permits = sharing.rate(Rate(PER_SECOND, 1), PER_SECOND // 10), sharing.permits(100)
    background = Background(lambda: [sharing.run()])
    background.start()
    _wait(lambda: sharing.store.up, STORE_UP_WITHIN)
    return rate, permits, background


def bench_shared(port: int, clock: float) -> None:
    """Spend at the pace of steady traffic."""
    rate, permits, background = shared(port)

    def spend() -> bool:
        return rate.take(1.0, time.monotonic()) is not None

    def hold() -> bool:
        got = permits.take(time.monotonic()) == 0
        if got:
            permits.give_back()
        return got

    for call in (spend, hold):
        until = time.monotonic() + WARM_UP
        while time.monotonic() < until:
            call()
            time.sleep(APART)
    tell("router, a leased unit of a rate", *timed(spend, CALLS, APART), clock)
    tell("router, a leased permit, and back", *timed(hold, CALLS, APART), clock)
    background.stop()


def bench_limits(port: int, clock: float) -> None:
    """Ask as `limits` does: once for each request."""
    try:
        limits = importlib.import_module("limits")
        importlib.import_module("limits.strategies")
    except ImportError:
        print("limits is not installed: pip install limits")
        return
    storage = limits.storage.storage_from_string(f"redis://127.0.0.1:{port}")
    item = limits.parse(f"{PER_SECOND}/second")
    for kind in ("FixedWindowRateLimiter", "SlidingWindowCounterRateLimiter"):
        limiter = getattr(limits.strategies, kind)(storage)
        hit = functools.partial(limiter.hit, item, "a")
        times, missed = timed(hit, LIMITS_CALLS, 0)
        tell(f"limits, {kind}", times, missed, clock)


def main() -> None:
    """Print microseconds: median, 99th percentile, and how often nothing was there."""
    print(f"{'µs a call':<44}{'median':>10}{'p99':>10}{'missed':>10}")
    with redis() as port:
        clock = overhead()
        bench_shared(port, clock)
        bench_limits(port, clock)


if __name__ == "__main__":
    main()
