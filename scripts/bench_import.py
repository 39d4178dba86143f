"""What it takes to import the router, in fresh processes: beside httpx, and litellm if it is there.

    python scripts/bench_import.py [ROUNDS]

Rule 1: each figure is the median of ROUNDS processes; all take turns, so that a busy minute of the
        machine falls on all of them. A process times its own statements, not the interpreter, and
        by processor time: an import waits for nothing, and neighbours are not its fault.
Rule 2: bytecode is compiled before, as installers do, into a directory of this run.
Rule 3: "over httpx" is what one pays for the router in a program that has httpx anyway: there httpx
        is imported first, and not timed.
"""

from __future__ import annotations

import importlib.util
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 15
MADE_IN_CODE = "router.Config(endpoints=[router.Endpoint(url='http://127.0.0.1:9')])"
MADE_OF_YAML = "endpoints:\n  - url: http://127.0.0.1:9\n"
STATEMENTS = {
    "import httpx": "import httpx",
    "import router": "import router",
    "from router import Client": "from router import Client",
    "Client(Config(…))": f"import router; router.Client({MADE_IN_CODE})",
    'Client("routes.yaml")': "import router; router.Client('routes.yaml')",
    "import litellm": "import litellm",
}
TIMED = "import time; began = time.process_time()\n{}\nprint(time.process_time() - began)"
BEFORE = {"alone": "", "over httpx": "import httpx\n"}
PEERS = ("import httpx", "import litellm")


def main() -> None:
    """Measure and print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    names = [name for name in STATEMENTS if name != "import litellm" or installed("litellm")]
    with tempfile.TemporaryDirectory() as home:
        (Path(home) / "routes.yaml").write_text(MADE_OF_YAML)
        taken = measured(names, rounds, home)
    report(taken)


def installed(package: str) -> bool:
    """Return whether it can be imported, without importing it."""
    return importlib.util.find_spec(package) is not None


def measured(names: list[str], rounds: int, home: str) -> dict[tuple[str, str], float]:
    """Return the median milliseconds of each statement, by its name and what came before it."""
    found: dict[tuple[str, str], list[float]] = {
        (name, before): []
        for name in names
        for before in BEFORE
        if before == "alone" or name not in PEERS
    }
    for number in range(rounds + 1):
        for (name, before), times in found.items():
            taken = once(BEFORE[before] + TIMED.format(STATEMENTS[name]), home)
            if number:  # the first round compiles
                times.append(1e3 * taken)
    return {key: statistics.median(times) for key, times in found.items()}


def once(program: str, home: str) -> float:
    """Run a program in a fresh process; return the seconds that it prints last."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(home) / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    here = str(Path(__file__).parent.parent)
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, (here, os.getenv("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=home, env=environment, capture_output=True, check=True
    )
    return float(done.stdout.split()[-1])


def report(taken: dict[tuple[str, str], float]) -> None:
    """Print a line for each statement, and its ratio to httpx and to litellm."""
    litellm = taken.get(("import litellm", "alone"))
    print(f"{'':26}{'alone':>10}{'over httpx':>12}{'to httpx':>10}{'to litellm':>12}")
    for name in dict.fromkeys(name for name, _ in taken):
        alone, over = taken[name, "alone"], taken.get((name, "over httpx"), 0.0)
        ratio = f"{alone / taken['import httpx', 'alone']:.2f}"
        other = "-" if litellm is None else f"{alone / litellm:.3f}"
        print(f"{name:26}{alone:7.1f} ms{over:9.1f} ms{ratio:>10}{other:>12}")


if __name__ == "__main__":
    main()
