"""The chart: where traffic goes and how long it takes, over time, one policy below the other.

Rule 1: near regions are cold colours and far ones warm; requests without an answer are black.
Rule 2: latency is shown on a logarithmic scale, since a fault costs a hundred times what is usual.
Rule 3: faults are shaded through all panels, and named once.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from simulation.figures import percentile

from traffic import svg
from traffic.measures import measure
from traffic.policies import WORDS
from traffic.result import FAILED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from traffic.result import Result
    from traffic.scenario import Scenario

__all__ = ["draw"]

COLOURS = ("#27599b", "#5b9bd0", "#a9d3df", "#fbd98b", "#f2a05a", "#cf5a45")
BLACK = "#1d1d1f"
STYLE = (
    "text{font:12px system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;fill:#3c3f44}"
    ".title{font-size:16px;font-weight:600;fill:#1d1d1f}.name{font-size:13px;font-weight:600;"
    "fill:#1d1d1f}.small{font-size:10.5px;fill:#6b7077}.fault{font-size:11px;fill:#8a3b2f}"
    ".frame{fill:none;stroke:#c9ccd1}.grid{stroke:#e4e6e9;fill:none}.shade{fill:#cf5a45;"
    "fill-opacity:.09}.p50{stroke:#1d1d1f;stroke-width:1.3;fill:none}.p99{stroke:#b5413a;"
    "stroke-width:1.3;fill:none}"
)
LEFT, WIDTH, RIGHT = 58.0, 860.0, 22.0
TOP, BOTTOM = 92.0, 22.0
NAME, SHARE, GAP, TIME, BETWEEN = 20.0, 74.0, 8.0, 74.0, 18.0
BLOCK = NAME + SHARE + GAP + TIME + BETWEEN
BINS = 170
TICKS = (0.01, 0.1, 1.0, 10.0)
LOWEST, HIGHEST = 0.025, 11.0
STEPS = (10, 30, 60, 120, 300, 600, 1800, 3600, 7200)
MOST_STEPS = 12
MINUTE = 60.0
MS = 1e3
PERCENT = 100.0
SWATCH = 11.0
COLUMN = 106.0


class Frame(NamedTuple):
    """The panel whose upper left corner is at LEFT and `top`, and its seconds of time."""

    top: float
    height: float
    seconds: float

    def x(self, moment: float) -> float:
        """Return where a moment is."""
        return LEFT + WIDTH * moment / self.seconds

    def share(self, part: float) -> float:
        """Return where a share is, from below."""
        return self.top + self.height * (1 - part)

    def latency(self, seconds: float) -> float:
        """Return where a latency is, on its logarithmic scale."""
        clipped = min(max(seconds, LOWEST), HIGHEST)
        return self.share(math.log(clipped / LOWEST) / math.log(HIGHEST / LOWEST))

    def outline(self) -> str:
        """Return its border."""
        return svg.rect(LEFT, self.top, WIDTH, self.height, class_="frame")


class Bin(NamedTuple):
    """The requests that were made in one span of time."""

    start: float
    end: float
    regions: Counter[int]
    took: list[float]


def draw(scenario: Scenario, results: Mapping[str, Result]) -> str:
    """Return the chart of one world as policies lived through it."""
    height = TOP + BLOCK * len(results) + BOTTOM
    parts = [
        svg.rect(0, 0, LEFT + WIDTH + RIGHT, height, fill="#fff", rx=6),
        *_header(scenario),
        *_shades(scenario, TOP + BLOCK * len(results) - BETWEEN),
    ]
    for number, (policy, result) in enumerate(results.items()):
        parts.extend(_block(scenario, policy, result, TOP + BLOCK * number))
    parts.extend(_axis(scenario, TOP + BLOCK * len(results) - BETWEEN))
    return svg.document(LEFT + WIDTH + RIGHT, height, STYLE, parts)


# -- what all policies share


def _header(scenario: Scenario) -> Iterator[str]:
    clients = f", {scenario.clients} clients" if scenario.clients > 1 else ""
    title = f"{scenario.name}: {scenario.rate:g} requests a second{clients}"
    yield svg.text(LEFT, 28, title[0].upper() + title[1:], class_="title")
    columns = (LEFT + COLUMN * place for place in itertools.count())
    for site, colour, x in zip(scenario.sites, COLOURS, columns, strict=False):
        yield svg.rect(x, 41, SWATCH, SWATCH, fill=colour)
        yield svg.text(x + SWATCH + 5, 51, f"{site.name} {MS * site.rtt:.0f} ms")
    for style, x in zip(("p50", "p99"), columns, strict=False):
        yield svg.line([(x, 47), (x + 20, 47)], class_=style)
        yield svg.text(x + 26, 51, style)


def _shades(scenario: Scenario, bottom: float) -> Iterator[str]:
    """Shade each fault that comes and goes."""
    frame = Frame(TOP, bottom - TOP, scenario.seconds)
    for site in scenario.sites:
        for fault in site.faults:
            if fault.end < scenario.seconds:
                left, right = frame.x(fault.start), frame.x(fault.end)
                yield svg.rect(left, TOP - 6, right - left, bottom - TOP + 6, class_="shade")
                middle, words = (left + right) / 2, f"{site.name} {fault.name}"
                yield svg.text(middle, TOP - 12, words, class_="fault", text_anchor="middle")


def _axis(scenario: Scenario, bottom: float) -> Iterator[str]:
    frame = Frame(TOP, bottom - TOP, scenario.seconds)
    step = next((s for s in STEPS if scenario.seconds / s <= MOST_STEPS), STEPS[-1])
    unit, name = (MINUTE, "min") if step % MINUTE == 0 else (1.0, "s")
    for moment in range(0, int(scenario.seconds) + 1, step):
        words = f"{moment / unit:g} {name}"
        yield svg.text(frame.x(moment), bottom + 18, words, class_="small", text_anchor="middle")


# -- one policy


def _block(scenario: Scenario, policy: str, result: Result, top: float) -> Iterator[str]:
    bins, own = _bins(scenario, result), measure(scenario, [result])
    figures = (
        f"mean {MS * own.mean:.0f} ms, p99 {MS * own.p99:.0f} ms,"
        f" errors {PERCENT * own.errors:.2g} %"
    )
    name = svg.element("tspan", {"class_": "name"}, policy)
    words = svg.element("tspan", {"class_": "small", "dx": 8}, WORDS[policy])
    yield svg.element("text", {"x": LEFT, "y": top + 13}, name + words)
    yield svg.text(LEFT + WIDTH, top + 13, figures, class_="small", text_anchor="end")
    yield from _share_panel(Frame(top + NAME, SHARE, scenario.seconds), bins)
    yield from _latency_panel(Frame(top + NAME + SHARE + GAP, TIME, scenario.seconds), bins)


def _bins(scenario: Scenario, result: Result) -> list[Bin]:
    """Return the bins that anything happened in."""
    width = scenario.seconds / BINS
    regions: defaultdict[int, Counter[int]] = defaultdict(Counter)
    took: defaultdict[int, list[float]] = defaultdict(list)
    for began, seconds, region in zip(result.began, result.took, result.served, strict=True):
        number = min(int(began / width), BINS - 1)
        regions[number][region] += 1
        took[number].append(seconds)
    return [Bin(n * width, (n + 1) * width, regions[n], took[n]) for n in sorted(took)]


def _share_panel(frame: Frame, bins: Sequence[Bin]) -> Iterator[str]:
    layers = [*enumerate(COLOURS), (FAILED, BLACK)]
    lower = [0.0] * len(bins)
    for region, colour in layers:
        upper = [
            below + b.regions[region] / b.regions.total()
            for below, b in zip(lower, bins, strict=True)
        ]
        if upper != lower:
            edges = (_edge(frame, bins, upper), _edge(frame, bins, lower))
            yield svg.area(*edges, fill=colour, fill_opacity="0.92")
        lower = upper
    for part in (0.5, 1.0):
        words = f"{PERCENT * part:.0f} %"
        yield svg.text(LEFT - 8, frame.share(part) + 4, words, class_="small", text_anchor="end")
    yield frame.outline()


def _edge(frame: Frame, bins: Sequence[Bin], parts: Sequence[float]) -> list[svg.Point]:
    """Return the steps of one layer's edge."""
    return list(
        itertools.chain.from_iterable(
            ((frame.x(b.start), frame.share(part)), (frame.x(b.end), frame.share(part)))
            for b, part in zip(bins, parts, strict=True)
        )
    )


def _latency_panel(frame: Frame, bins: Sequence[Bin]) -> Iterator[str]:
    for tick in TICKS:
        if LOWEST <= tick <= HIGHEST:
            y = frame.latency(tick)
            words = f"{tick:g} s" if tick >= 1 else f"{MS * tick:g} ms"
            yield svg.line([(LEFT, y), (LEFT + WIDTH, y)], class_="grid")
            yield svg.text(LEFT - 8, y + 4, words, class_="small", text_anchor="end")
    for style, share in (("p99", 0.99), ("p50", 0.50)):
        points = [
            (frame.x((b.start + b.end) / 2), frame.latency(percentile(b.took, share))) for b in bins
        ]
        yield svg.line(points, class_=style)
    yield frame.outline()
