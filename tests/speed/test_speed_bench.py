"""`scripts/bench.py` runs from end to end; what it measures is no matter for the gate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench.py"


def bench(*arguments: str) -> str:
    command = [sys.executable, "-W", "error", str(SCRIPT), "--quick", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "MISSED" not in ended.stdout
    return ended.stdout


def test_a_quick_run_measures_writes_and_says_what_is_absent(tmp_path: Path) -> None:
    rows = ("httpx, threads", "router over httpx", "httpx with httpx-retries")
    only = [word for row in rows for word in ("--only", row)]
    said = bench(*only, "--write", "--docs", str(tmp_path))
    for row in rows[:2]:
        assert f"\n{row} " in said
    assert "ABSENT httpx with httpx-retries: " in said
    assert "router over httpx: idle connections, 32 at once: " in said
    page = (tmp_path / "speed.md").read_text(encoding="utf-8")
    assert "| **router over httpx** | " in page
    assert (tmp_path / "speed.svg").read_text(encoding="utf-8").startswith("<svg ")


def test_a_quick_run_without_a_network_judges_nothing() -> None:
    said = bench("--overhead", "--profile")
    assert "tasks, httpx, hedge armed: " in said
    assert "flow.py:attempt" in said


def test_a_short_soak_ends_without_an_error() -> None:
    said = bench("--soak", "0.02")
    assert "errors: 0" in said


def test_failover_is_measured_to_a_warm_and_to_a_cold_runner_up() -> None:
    said = bench("--failover")
    assert "the runner-up's connection is open" in said
    assert "the runner-up was never asked" in said
