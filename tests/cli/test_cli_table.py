"""Tables fit the terminal, and nothing of them is cut off."""

from __future__ import annotations

import io
import math
import re

import pytest
from rich.console import Console

from router.balance.ranking import Ranked
from router.cli.rows import Tally, rows_of
from router.cli.table import FOUND, layout, show
from router.endpoint import Endpoint, Location
from router.geo.prior import prior
from router.latency.estimate import Estimate

HERE, THERE = Location(50.1, 8.7), Location(-33.9, 151.2)
REASON = "6.1 ± 0.6 ms round trip over 5 probes"


def ranked(name: str, rtt: float = 0.0061, *, health: str = "healthy") -> Ranked:
    return Ranked(
        endpoint=Endpoint(url="https://a.example", name=name, region="aws:ap-southeast-2"),
        estimate=Estimate(rtt, math.log(1.1), "measured", 5),
        prior=prior(HERE, THERE),
        cost=rtt,
        health=health,
    )


def tally(**answered: int) -> Tally:
    made = Tally()
    for name, count in answered.items():
        for probe in range(5):
            made.add(name, probe < count)
    return made


def drawn(width: int, *names: str, terminal: bool = True) -> str:
    rows = rows_of(map(ranked, names), tally(**dict.fromkeys(names, 5)))
    paper = Console(
        file=io.StringIO(),
        width=width,
        force_terminal=terminal,
        color_system=None,
        highlight=False,
        markup=False,
    )
    paper.print(layout(paper, rows, FOUND))
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue()


def test_a_wide_terminal_has_the_reason_beside_the_figures() -> None:
    lines = drawn(150, "sydney").splitlines()

    assert len(lines) == 2
    assert lines[1].rstrip().endswith(REASON)


def test_a_narrow_terminal_has_the_reason_under_the_figures() -> None:
    figures, reasons = drawn(80, "sydney").split("\n\n")

    assert "6.1 ms" in figures
    assert REASON in reasons
    assert "aws:ap-southeast-2" in reasons


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160, 220])
def test_nothing_is_cut_off_at_any_width(width: int) -> None:
    names = ["sydney", "a-name-of-an-endpoint-that-goes-on-and-on-" + "x" * 50]

    text = drawn(width, *names)

    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for words in ("endpoint", "distance", "6.1 ms", "5/5", "healthy"):
        assert words in text
    letters = "".join(text.split())
    assert letters.count("x") >= 50
    assert letters.count("probes") >= 2


def test_a_terminal_too_narrow_for_the_figures_has_a_block_a_row() -> None:
    first, second, rest = re.split(r"\n *\n", drawn(60, "sydney", "perth"))

    assert rest == ""
    for block, name in ((first, "sydney"), (second, "perth")):
        lines = dict(re.split(" {2,}", line.strip(), maxsplit=1) for line in block.splitlines())
        assert lines["endpoint"] == name
        assert lines["RTT"] == "6.1 ms"


@pytest.mark.parametrize("name", ["[red]x[/red]", ":smile:", "[/]"])
def test_names_are_no_markup(name: str) -> None:
    assert name in drawn(200, name)


def test_without_a_terminal_a_row_is_a_line_without_colours(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paper = Console(force_terminal=False, width=100_000)

    show(paper, rows_of([ranked("n" * 100)], tally(**{"n" * 100: 5})), FOUND)

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "n" * 100 in lines[1]
    assert lines[1].endswith(REASON)
    assert "\x1b" not in lines[1]


@pytest.mark.parametrize(
    ("rows", "answered", "order"),
    [
        ([("b", 0.02, "healthy"), ("a", 0.01, "healthy")], {"a": 5, "b": 5}, ["a", "b"]),
        ([("a", 0.010, "healthy"), ("b", 0.012, "healthy")], {"a": 0, "b": 1}, ["b", "a"]),
        ([("a", 0.01, "ejected"), ("b", 0.02, "healthy")], {"a": 5, "b": 5}, ["b", "a"]),
        ([("b", 0.012, "healthy"), ("a", 0.011, "healthy")], {"a": 5, "b": 5}, ["a", "b"]),
    ],
    ids=["by cost", "down is last", "ejected is last", "none is in use"],
)
def test_rows_stand_in_the_order_of_a_router_that_starts_now(
    rows: list[tuple[str, float, str]], answered: dict[str, int], order: list[str]
) -> None:
    ranking = [ranked(name, rtt, health=health) for name, rtt, health in rows]

    found = rows_of(ranking, tally(**answered))

    assert [row.ranked.name for row in found] == order
    assert [row.rank for row in found] == [1, 2]
