"""The arithmetic of `scripts/bench.py`: medians, ratios within rounds, slopes, words and charts."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from speedlab.answers import events, question, whole, wish
from speedlab.bars import Bar
from speedlab.cells import CELLS, KB, Cell
from speedlab.chart import draw
from speedlab.figures import Figures, added, together, trend
from speedlab.overhead import Cost, differences, least_of, own_times
from speedlab.report import END, START, as_markdown, put_between
from speedlab.rows import ROWS, Row
from speedlab.soak import Sample, growth, sparkline
from speedlab.worker import idle_costs

if TYPE_CHECKING:
    from collections.abc import Sequence

PLACE = Cell(1, KB, False)
BASE, OURS = Row("bare", "httpx", base=None), Row("the router", "routed", base="bare")


def turns(*cpu: float) -> list[dict[str, float]]:
    return [{"count": 1, "wall": 2 * us, "cpu": us, "peak": us / 10} for us in cpu]


def figures(base: Sequence[float], ours: Sequence[float]) -> Figures:
    made = Figures()
    for cell in CELLS:
        made.turns["bare"][cell] = [*turns(*base)]
        made.turns["the router"][cell] = [*turns(*ours)]
    return made


def test_a_figure_is_the_median_of_its_turns() -> None:
    assert figures([100, 900, 110], [1]).of("bare", PLACE, "cpu") == 110
    assert math.isnan(Figures().of("bare", PLACE, "cpu"))


def test_a_ratio_is_the_median_of_the_rounds_own_so_that_a_slow_round_is_in_both() -> None:
    seen = figures([100, 1000, 100], [150, 1500, 140])
    assert seen.ratio(OURS, PLACE, "cpu") == 1.5
    assert seen.ratio(BASE, PLACE, "cpu") == 1.0
    assert math.isnan(seen.ratio(Row("not here", "httpx", base="bare"), PLACE, "cpu"))


def test_of_rounds_without_a_network_the_least_of_each_side_counts() -> None:
    rounds = [Cost(10, 40, 60), Cost(7, 30, 50), Cost(8, 25, 90)]
    assert least_of(rounds) == Cost(7, 26, 60)


def test_what_is_added_is_the_median_of_the_rounds_differences() -> None:
    seen = figures([100, 1000, 100], [150, 1060, 140])
    assert added(seen, "the router", "bare", PLACE) == 50
    assert math.isnan(added(seen, "nobody", "bare", PLACE))


def test_ratios_are_put_together_by_their_geometric_mean() -> None:
    assert together([2.0, 0.5, math.nan]) == pytest.approx(1.0)
    assert math.isnan(together([]))


def test_a_drift_of_the_machine_is_in_no_difference() -> None:
    assert differences([(10, 25, 35, 40)]) == [5.0]


def test_idle_connections_are_judged_by_the_quickest_turns_since_noise_only_adds() -> None:
    assert idle_costs(turns(110, 400, 150), turns(900, 100), "cpu") == pytest.approx(1.1)


def test_a_functions_own_time_has_the_libraries_in_it_but_not_our_other_functions() -> None:
    ours, other, library = ("/us/a.py", 1, "a"), ("/us/b.py", 1, "b"), ("/lib/c.py", 1, "c")
    stats = {
        ours: (1, 1, 1.0, 10.0, {}),
        other: (2, 2, 1.0, 4.0, {ours: (2, 2, 1.0, 4.0)}),
        library: (3, 3, 5.0, 5.0, {ours: (2, 2, 4.0, 5.0)}),
    }
    assert list(own_times(stats, ("/us",))) == [(ours, 1, 6.0), (other, 2, 4.0)]


def test_the_trend_is_the_slope_of_the_line_that_fits() -> None:
    assert trend([(0, 1), (1, 3), (2, 5)]) == pytest.approx(2.0)
    assert trend([(3, 7)]) == 0.0


def test_growth_is_of_the_second_half_only() -> None:
    memory = [10, 20, 30, 40, 40, 41, 42, 43]
    samples = [Sample(float(n), m, 9, 0, 0) for n, m in enumerate(memory)]
    assert growth(samples, "memory") == pytest.approx(3.0)
    assert growth(samples, "files") == 0.0


def test_a_sparkline_goes_from_the_least_to_the_most() -> None:
    assert sparkline([1, 2, 3]) == "▁▅█"
    assert sparkline([7, 7]) == "▁▁"


def test_a_bar_says_whether_it_is_met_where_it_is_judged() -> None:
    most = Bar("added", 44.0, 45.0, "{:.0f} µs")
    assert most.met
    assert most.words(judged=False) == "added: 44 µs"
    assert "(at most 45 µs) [green]met" in most.words(judged=True)
    assert not Bar("times", 99.0, 100.0, "{:.0f}", at_least=True).met
    assert not Bar("unknown", math.nan, 100.0, "{:.0f}").met


@pytest.mark.parametrize("size", [KB, 100 * KB])
def test_answers_have_the_size_that_was_asked_for(size: int) -> None:
    assert len(whole(size)) == size
    assert sum(map(len, events(size))) == size
    assert all(event.endswith(b"\n\n") for event in events(size))
    for streamed in (False, True):
        assert wish(question(size, streamed=streamed)) == (size, streamed, False)


def test_every_row_is_compared_with_a_row_that_is_there() -> None:
    names = [row.name for row in ROWS]
    assert len(names) == len(set(names))
    assert {row.base for row in ROWS if row.base is not None} <= set(names)


def test_the_page_keeps_what_stands_around_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text(f"before\n{START}\nold\n{END}\n## Wires\n", encoding="utf-8")
    seen = figures([100], [150])
    seen.absent |= {"nginx": "not installed", "bare": "it broke off: no answer"}
    words = as_markdown((BASE, OURS), seen, "Some CPU, 2 cores")
    put_between(page, words, "speed.svg")
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("\n## Wires\n")
    assert "old" not in text
    assert "| **the router** | 300 / 150 |" in text
    assert "| 1.50 | 15 MB |" in text
    assert "Absent in this run: nginx." in text
    assert "Broke off: bare." in text


def test_a_page_without_markers_keeps_its_words_and_gets_them_once(tmp_path: Path) -> None:
    page = tmp_path / "speed.md"
    page.write_text("somebody's\n", encoding="utf-8")
    for words in ("first", "second"):
        put_between(page, words, "speed.svg")
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"somebody's\n\n{START}\n")
    assert text.endswith(f"second\n{END}\n")
    assert "first" not in text


def test_the_chart_stands_alone_and_names_every_client() -> None:
    drawn = draw((BASE, OURS), figures([100], [150]), "Some CPU, 2 cores; httpx 1")
    ET.fromstring(drawn)
    assert "the router" in drawn
    assert "100 / 100" in drawn
    assert "Some CPU, 2 cores" in drawn
    assert "httpx 1" not in drawn
