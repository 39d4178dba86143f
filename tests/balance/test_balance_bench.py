"""The benchmark of routing runs; what it measures is no matter for the gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_routing.py"


def test_a_quick_run_ends_well_and_judges_nothing() -> None:
    command = [sys.executable, "-W", "error", str(SCRIPT), "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    for measured in (
        "decision and permit, 5 ms apart",
        "the whole cycle, 5 ms apart",
        "decision and permit among 10, ",
        "state of an endpoint as made: ",
        "the same after 8 probes and an answer (100% taken): ",
        "p99 of choose in traffic ",
        "start with 100 endpoints: ",
        "their file read ",
    ):
        assert measured in ended.stdout
    assert ("pip install --group bench" in ended.stdout) != ("LiteLLM over ours" in ended.stdout)
    assert "(bar " not in ended.stdout
    assert "MISSED" not in ended.stdout
