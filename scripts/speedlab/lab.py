"""Starts what takes part, and gives each its turn.

Rule 1: every row has a process of its own; a row that cannot be made is left out, and why is kept.
Rule 2: rounds are interleaved: at each cell every row has one turn, in an order by chance.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from speedlab.cells import CELLS, IDLE_CELLS
from speedlab.figures import Figures
from speedlab.hop import INSTALL, hop
from speedlab.routes import REGIONS

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from speedlab.hop import Hop
    from speedlab.rows import Row

__all__ = ["FULL", "QUICK", "Amount", "Process", "measured", "servers"]

SCRIPTS = Path(__file__).parents[1]
NO_PEERS = "it lives in the environment of the group `bench`: run with --peers"


class Amount(NamedTuple):
    """How much is measured: rounds, seconds of a turn, and pairs with and without idle ones."""

    rounds: int
    seconds: float
    pairs: int


FULL, QUICK = Amount(7, 0.25, 12), Amount(1, 0.0, 1)


@dataclass(slots=True)
class Running:
    """A row with its process."""

    row: Row
    process: Process
    hop: Hop | None

    def turn(self, cell: Any, seconds: float) -> Mapping[str, float]:
        """Return the figures of one turn, the hop's CPU counted."""
        before = 0.0 if self.hop is None else self.hop.cpu()
        figures: dict[str, float] = self.process.ask({"cell": cell, "seconds": seconds})
        if self.hop is not None:
            figures["cpu"] += (self.hop.cpu() - before) * 1e6 / figures["count"]
        return figures


class Process:
    """A worker; it speaks lines of JSON."""

    def __init__(self, python: Path, script: str, *arguments: str) -> None:
        environment = os.environ | {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # fetch nothing
            "PYTHONPATH": os.pathsep.join((str(SCRIPTS), str(SCRIPTS.parent))),
        }
        self._words = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed with the process
        self._process = subprocess.Popen(
            [python, SCRIPTS / "speedlab" / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            text=True,
            env=environment,
        )

    def ask(self, question: object) -> Any:
        """Send a line, and return the answer."""
        assert self._process.stdin is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        return self.line()

    def line(self) -> Any:
        """Return the next line.

        Raises:
            RuntimeError: the process has ended; with its last words.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._words.seek(0)
        raise RuntimeError(self._words.read().strip().rpartition("\n")[2] or "it has ended")

    def close(self) -> None:
        """End it; what it says meanwhile is nobody's."""
        with self._words:
            self._process.communicate()


@contextlib.contextmanager
def servers(count: int = len(REGIONS)) -> Iterator[list[str]]:
    """Run the server; give the URLs of its ports."""
    with contextlib.closing(Process(Path(sys.executable), "server.py", str(count))) as process:
        yield process.line()


def measured(
    rows: Sequence[Row],
    amount: Amount,
    *,
    peers: Path | None,
    chance: random.Random,
    told: Callable[[str, float], None],
) -> Figures:
    """Return the figures of these rows.

    Args:
        rows: who is measured.
        amount: how much.
        peers: the Python of other people's clients; None: their rows are left out.
        chance: makes the order.
        told: hears what goes on, and the share of it that is done.
    """
    figures = Figures()
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(servers())
        sidecar = stack.enter_context(hop(urls[0])) if any(row.hop for row in rows) else None
        told("starting", 0.0)
        running = list(_started(rows, figures, stack, urls=urls, sidecar=sidecar, peers=peers))
        _take_turns(running, figures, amount, chance, told)
        for each in running:
            if each.row.idles:
                told(f"idle connections: {each.row.name}", 1.0)
                figures.idle[each.row.name] = {
                    cell: each.process.ask(
                        {"cell": cell, "pairs": amount.pairs, "seconds": amount.seconds}
                    )
                    for cell in IDLE_CELLS
                }
    return figures


def _take_turns(
    running: list[Running],
    figures: Figures,
    amount: Amount,
    chance: random.Random,
    told: Callable[[str, float], None],
) -> None:
    """Give everybody a turn at each cell, round after round; who breaks off is out."""
    turns, done = amount.rounds * len(CELLS) * len(running) or 1, 0
    for number, cell in itertools.product(range(amount.rounds), CELLS):
        for each in chance.sample(running, len(running)):
            told(f"round {number + 1}: {cell.at_once} x {cell.shape}", done / turns)
            done += 1
            try:
                turn = each.turn(cell, amount.seconds)
            except (RuntimeError, OSError) as error:
                running.remove(each)
                figures.absent[each.row.name] = f"it broke off: {error}"
                continue
            figures.turns[each.row.name][cell].append(turn)


def _started(
    rows: Sequence[Row],
    figures: Figures,
    stack: contextlib.ExitStack,
    *,
    urls: list[str],
    sidecar: Hop | None,
    peers: Path | None,
) -> Iterator[Running]:
    """Start all processes side by side, and yield those that are ready."""
    started = []
    for row in rows:
        why = _why_not(row, sidecar, peers)
        if why is not None:
            figures.absent[row.name] = why
            continue
        at = [sidecar.url] if row.hop and sidecar is not None else urls
        spec = json.dumps({"kind": row.kind, "urls": at, "arguments": dict(row.arguments)})
        python = peers if row.peer and peers is not None else Path(sys.executable)
        process = Process(python, "worker.py", spec)
        stack.callback(process.close)
        started.append(Running(row, process, sidecar if row.hop else None))
    for each in started:
        try:
            said = each.process.line()
        except RuntimeError as error:
            said = {"absent": str(error)}
        if "ready" in said:
            figures.versions |= said["ready"]
            yield each
        else:
            figures.absent[each.row.name] = said["absent"]


def _why_not(row: Row, sidecar: Hop | None, peers: Path | None) -> str | None:
    if row.hop and sidecar is None:
        return INSTALL
    return NO_PEERS if row.peer and peers is None else None
