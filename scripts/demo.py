"""The demonstration behind `./scripts/demo`: everything real, everything on this machine.

Three regions serve one API at 15, 75 and 210 ms. The router ranks them, sends requests through a
pool of threads, loses the best region, moves, and comes back when the region does.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

import router
from router.testing import NtpServer, Received, Regions, Reply, TokenServer

DATABASE = Path(__file__).resolve().parent.parent / "data" / "demo.mmdb"
PLACES = {
    "frankfurt": "aws:eu-central-1",
    "virginia": "aws:us-east-1",
    "tokyo": "aws:ap-northeast-1",
}
BEST = "frankfurt"
WORKERS = 8
DIES_AT, RETURNS_AT, ENDS_AT = 3.0, 6.0, 10.0

ROUTES = """\
version: 1
geo:
  database: {database}
  here: {{ip: 81.2.69.142}}            # London, in the demo database
clock: {{servers: [{ntp}], header: X-Timestamp}}
token:
  url: {token}
  client_id: demo
  client_secret: "${{DEMO_SECRET}}"
limits: {{concurrency: 8}}
failover: {{attempts: 4, deadline: 5s}}
endpoints:
{endpoints}"""


@dataclass
class Tally:
    """What the workers saw; times are seconds from the start of the traffic."""

    began: float = field(default_factory=time.monotonic)
    answers: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0
    died: float | None = None
    returned: float | None = None
    moved: float | None = None
    came_back: float | None = None
    explained: str = ""
    worst_stamp: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now(self) -> float:
        """Return the seconds since the traffic began."""
        return time.monotonic() - self.began

    def answered(self, trace: router.Trace, took: float) -> None:
        """Count one answer, and notice the move away and the return."""
        with self.lock:
            self.answers[trace.endpoint] += 1
            self.slowest = max(self.slowest, took)
            if self.died is not None and self.moved is None and trace.endpoint != BEST:
                self.moved, self.explained = self.now(), trace.explain()
            if self.returned is not None and self.came_back is None and trace.endpoint == BEST:
                self.came_back = self.now()

    def failed(self, error: Exception) -> None:
        """Keep one error in words."""
        with self.lock:
            self.errors.append(str(error))


def write_routes(
    folder: Path, regions: Regions, tokens: TokenServer, clocks: list[NtpServer]
) -> Path:
    """Write the YAML that the demonstration runs by, and return its path."""
    endpoints = "".join(
        f"  - {{name: {region.name}, url: {region.url}, region: {PLACES[region.name]}}}\n"
        for region in regions
    )
    servers = ", ".join(f'"{clock.address}"' for clock in clocks)
    path = folder / "routes.yaml"
    path.write_text(
        ROUTES.format(database=DATABASE, ntp=servers, token=tokens.url, endpoints=endpoints)
    )
    return path


def serve(regions: Regions, tokens: TokenServer, tally: Tally) -> None:
    """Have every region check the token and the timestamp of each request."""

    def respond(request: Received) -> Reply:
        if not tokens.accepts(request.headers.get("authorization", "").removeprefix("Bearer ")):
            return Reply(401)
        age = request.at - int(request.headers["x-timestamp"]) / 1e3
        tally.worst_stamp = max(tally.worst_stamp, abs(age))
        return Reply(body=b"hello from " + request.region.encode())

    for region in regions:
        region.respond = respond


def work(client: router.Client, tally: Tally) -> None:
    """Send one request after another until the end."""
    while tally.now() < ENDS_AT:
        started = time.monotonic()
        try:
            response = client.get("/hello")
            response.raise_for_status()
        except Exception as error:  # noqa: BLE001 - the demonstration counts whatever goes wrong
            tally.failed(error)
        else:
            tally.answered(response.extensions["router"], time.monotonic() - started)


def direct(regions: Regions, tally: Tally) -> None:
    """End the best region at its time, and bring it back."""
    if tally.died is None and tally.now() >= DIES_AT:
        regions[BEST].stop_listening()
        tally.died = tally.now()
    if tally.returned is None and tally.now() >= RETURNS_AT:
        regions[BEST].revive()
        tally.returned = tally.now()


def ranking(client: router.Client, tally: Tally, title: str) -> Table:
    """Return the ranking as a table."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in ("endpoint", "distance", "prior", "RTT", "health", "answers", "why"):
        table.add_column(
            column, justify="left" if column in {"endpoint", "health", "why"} else "right"
        )
    for ranked in client.router.rank():
        km = "" if ranked.distance_km is None else f"{ranked.distance_km:.0f} km"
        color = "green" if ranked.health == "healthy" else "red"
        table.add_row(
            ranked.name,
            km,
            f"{ranked.prior_ms:.0f} ms",
            f"{ranked.rtt_ms:.1f} ms",
            Text(ranked.health, style=color),
            str(tally.answers[ranked.name]),
            ranked.reason,
        )
    return table


def state(client: router.Client, tokens: TokenServer, tally: Tally) -> str:
    """Return one line about the traffic, the token and the clock."""
    stamp = client.router.clock.now()
    return (
        f"{tally.now():4.1f} s  {sum(tally.answers.values())} answers, "
        f"{len(tally.errors)} errors, {tokens.requests} token request, "
        f"clock {stamp.status} to ±{stamp.bound_ns / 1e6:.1f} ms"
    )


def story(tally: Tally, tokens: TokenServer) -> list[str]:
    """Return the summary, a sentence each."""
    total = sum(tally.answers.values())
    lines = [
        f"{total} requests answered, {len(tally.errors)} errors, {tokens.requests} token request."
    ]
    if tally.died is not None and tally.moved is not None:
        after = (tally.moved - tally.died) * 1e3
        lines.append(
            f"{BEST} died at {tally.died:.1f} s; "
            f"the first answer from elsewhere came {after:.0f} ms later."
        )
    if tally.returned is not None and tally.came_back is not None:
        after = tally.came_back - tally.returned
        lines.append(
            f"{BEST} came back at {tally.returned:.1f} s and had traffic again {after:.1f} s later."
        )
    lines.append(f"The slowest request took {tally.slowest * 1e3:.0f} ms.")
    lines.append(f"Every timestamp was read within {tally.worst_stamp * 1e3:.0f} ms of being made.")
    return lines


def show_traffic(
    console: Console, client: router.Client, regions: Regions, tokens: TokenServer, tally: Tally
) -> None:
    """Direct the traffic and show it: live in a terminal, a line a second otherwise."""

    def frame(title: str) -> Group:
        return Group(ranking(client, tally, title), Text(state(client, tokens, tally)))

    live = Live(console=console, refresh_per_second=8) if console.is_terminal else None
    with live or ExitStack():
        printed = -1
        while tally.now() < ENDS_AT:
            direct(regions, tally)
            if live is not None:
                live.update(frame("now"))
            elif int(tally.now()) > printed:
                printed = int(tally.now())
                console.print(state(client, tokens, tally) + f"  {dict(tally.answers)}")
            time.sleep(0.05)
        if live is not None:
            live.update(frame("ranking after"))


def main() -> int:
    """Run the demonstration; return 1 if any request failed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    tally = Tally()
    with (
        Regions(frankfurt=0.015, virginia=0.075, tokyo=0.210) as regions,
        TokenServer() as tokens,
        ExitStack() as stack,
        tempfile.TemporaryDirectory() as folder,
    ):
        clocks = [stack.enter_context(NtpServer()) for _ in range(4)]
        serve(regions, tokens, tally)
        os.environ["DEMO_SECRET"] = "demo-secret"  # noqa: S105 - the demo token server's own
        routes = write_routes(Path(folder), regions, tokens, clocks)
        console.print(Text(routes.read_text().rstrip(), style="dim"))
        console.print()
        with router.Client(routes) as client, ThreadPoolExecutor(WORKERS) as threads:
            client.router.wait_until_measured()
            console.print(ranking(client, tally, "ranking before"))
            console.print()
            tally.began = time.monotonic()
            for _ in range(WORKERS):
                threads.submit(work, client, tally)
            show_traffic(console, client, regions, tokens, tally)
            threads.shutdown()
            console.print()
            if not console.is_terminal:
                console.print(ranking(client, tally, "ranking after"))
                console.print()
            console.print(Text("the request that met the dead region:", style="bold"))
            console.print(Text(tally.explained))
            console.print()
        for line in story(tally, tokens):
            console.print(Text(line))
        for error in tally.errors[:5]:
            console.print(Text(f"error: {error}", style="red"))
    return 1 if tally.errors or not tally.moved else 0


if __name__ == "__main__":
    sys.exit(main())
