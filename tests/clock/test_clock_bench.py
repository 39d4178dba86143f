"""The benchmark of the clock runs; what it measures is no matter for the gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_clock.py"


def test_a_quick_run_ends_well_and_judges_nothing() -> None:
    command = [sys.executable, "-W", "error", str(SCRIPT), "--quick"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "now() over time.time_ns(): " in ended.stdout
    assert "a stamp over a bare request: " in ended.stdout
    assert "(bar " not in ended.stdout
    assert "MISSED" not in ended.stdout
