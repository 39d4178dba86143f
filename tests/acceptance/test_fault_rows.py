"""The page of faults in its quick form: rows of `scripts/faults.py`, over real sockets."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from faultlab.catalogue import ROWS, lived
from faultlab.fleet import excess, missing, most_in
from faultlab.lab import Lab
from faultlab.row import Row, at_most

QUICK = 0.05
BY_THE_CLOCK = ("slow", "p99", "elapsed", "longest try", "as before", "amplification")
"""What hangs on the machine's speed is shown by the script, and not asked here."""


def missed(rows: list[Row]) -> list[Row]:
    return [row for row in rows if not row.passed and not any(w in row.asked for w in BY_THE_CLOCK)]


def check(row: str, kind: str = "tasks") -> None:
    rows = asyncio.run(lived(row, Lab(kind=kind, scale=QUICK, way_back=False)))
    assert rows
    assert not missed(rows)


@pytest.mark.parametrize(
    "row", ["F01", "F02", "F04", "F06", "F10", "F11", "F12", "F17", "F33", "F34", "F47", "F49"]
)
def test_a_fault_is_lived_through_as_asked(row: str) -> None:
    check(row)


def test_threads_live_through_resets_as_tasks_do() -> None:
    check("F04", "threads")


def test_tasks_over_httpx2_live_through_resets_as_those_over_httpx_do() -> None:
    check("F04", "tasks httpx2")


def test_every_row_of_the_page_has_a_function() -> None:
    page = [f"F{number:02}" for number in [*range(1, 19), *range(29, 35), 36, 40, 41, 42, 47, 49]]
    assert {*page, "F11b"} <= set(ROWS)


def test_a_figure_that_is_not_there_is_not_met() -> None:
    assert not at_most("F01", "tries", float("nan"), 5).passed


def test_what_comes_beyond_a_rate_is_found_in_any_stretch_of_time() -> None:
    even = [number / 8 for number in range(24)]
    assert excess(even, 8) == pytest.approx(1)
    assert excess([*even, *[3.0] * 5], 8) == pytest.approx(5)
    assert most_in(even, 1.0) == 8
    assert most_in([*even, *[2.875] * 5], 1.0) == 13


def test_what_could_not_be_seen_is_not_met_and_says_why() -> None:
    row = missing("F41 Redis", "redis-server")
    assert not row.passed
    assert row.seen == "SKIPPED: redis-server is not installed"
