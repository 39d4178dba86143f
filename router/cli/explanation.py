"""A Decision for people: a sentence, a URL, and how every endpoint stood.

Rule 1: figures are the library's; only what sets endpoints apart is shown. A column that says the
        same nothing of each (no queue, weight 1) is left out, and stays in the JSON.
Rule 2: who was chosen stands among the others, in the order of what was expected of them; those
        that were out, and those that constraints exclude, stand at the end with the words for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.text import Text

from router.cli import shaped
from router.cli.table import DISTANCE, HEALTH, PLACE, PRIOR, TIER, Column, Sheet, layout

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.console import Console, RenderableType

    from router.balance.decision import Candidate, Decision
    from router.cli.rows import Row
    from router.endpoint import Endpoint

__all__ = ["Explanation", "Line"]

LEAST_SHOWN = 5e-5  # seconds; less is 0.0 ms
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Line:
    """An endpoint: what probes found of it, how it stood, and what became of it in a few words.

    Attributes:
        row: its place, its distance and what its probes say.
        candidate: how it stood; None if constraints exclude it.
        verdict: that it was chosen, or why not.
        chosen: whether the request would go there.
    """

    row: Row
    candidate: Candidate | None
    verdict: str
    chosen: bool = False

    @property
    def price(self) -> float | None:
        """Seconds that were expected of it, if it was compared."""
        return None if self.candidate is None else self.candidate.price


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was decided, what probes found, and what of the request's path comes behind a base."""

    decision: Decision
    rows: Sequence[Row]
    target: str

    @property
    def url(self) -> str:
        """Where the request would go."""
        endpoint = self._endpoint
        return f"{endpoint.origin}{shaped.target(endpoint, self.target)}"

    @property
    def _endpoint(self) -> Endpoint:
        return self.decision.chosen.row.endpoint

    @property
    def answered(self) -> bool:
        """Whether the chosen endpoint answers; if not, nobody else does who may serve."""
        name = self.decision.chosen.name
        return any(row.measured for row in self.rows if row.ranked.name == name)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        changes = shaped.as_dict(self._endpoint)
        shaping = {"shaping": changes} if changes else {}
        return {"url": self.url, **shaping, **self.decision.as_dict()}

    def lines(self) -> list[Line]:
        """Return those that were compared, the cheapest first, then those that were not."""
        rows = {row.ranked.name: row for row in self.rows}
        chosen = self.decision.chosen
        lines = []
        for candidate in self.decision.candidates:
            row, is_chosen = rows[candidate.name], candidate.name == chosen.name
            verdict = _welcome(row) if is_chosen else _verdict(candidate, chosen)
            lines.append(Line(row, candidate, verdict, is_chosen))
        outside = self.decision.outside.items()
        return lines + [Line(rows[name], None, words) for name, words in outside]

    def drawn(self, made: Console) -> RenderableType:
        """Return the sentence, the URL and the table."""
        lines = self.lines()
        name = self.decision.chosen.name
        parts: list[RenderableType] = [
            Text(f"The request would go to {name}: {self.decision.reason}", style="bold"),
            Text(self.url),
            *self._shaping(),
            Text(),
            layout(made, lines, sheet(lines)),
        ]
        if left := len(self.rows) - len(lines):
            parts += [Text(), Text(f"Not shown: {left} more; router probe has all", style="dim")]
        return Group(*parts)

    def _shaping(self) -> list[RenderableType]:
        words = shaped.sentence(self._endpoint)
        return [Text(f"Shaped there: {words}")] if words else []


def _welcome(row: Row) -> str:
    return f"chosen, although it is down: {row.reason}" if row.down else "chosen"


def _verdict(candidate: Candidate, chosen: Candidate) -> str:
    if candidate.excluded is not None:
        return candidate.excluded
    if candidate.price is None or chosen.price is None:
        return "in reserve"
    more = candidate.price - chosen.price
    return f"{abs(more) * 1e3:.1f} ms {'less' if more < 0 else 'more'}"


def _ms(seconds: float | None) -> str:
    if seconds is None or abs(seconds) < LEAST_SHOWN:
        return NOTHING
    return f"{seconds * 1e3:.1f} ms"


def _rtt(line: Line) -> str:
    ranked = line.row.ranked
    return f"{ranked.rtt_ms:.1f} ± {ranked.spread_ms:.1f} ms" if line.row.measured else NOTHING


def _service(line: Line) -> float | None:
    ranked = line.row.ranked
    return ranked.alone - ranked.estimate.rtt if line.row.measured else None


def _part(of: Callable[[Candidate], float]) -> Callable[[Line], str]:
    """Return what writes one part of the price, where there is a price."""

    def text(line: Line) -> str:
        candidate = line.candidate
        return NOTHING if candidate is None or candidate.price is None else _ms(of(candidate))

    return text


def _row(line: Line) -> Row:
    return line.row


NAME: Column[Line] = Column(
    "endpoint", lambda line: line.row.ranked.name, folds=True, style=lambda x: "bold" * x.chosen
)
SERVICE: Column[Line] = Column("service", lambda line: _ms(_service(line)), right=True)
QUEUE: Column[Line] = Column("queue", _part(lambda c: c.queue), right=True)
MORE: Column[Line] = Column("more of late", _part(lambda c: c.row.surplus), right=True)
RISK: Column[Line] = Column("risk", _part(lambda c: c.row.risk), right=True)
IN_FLIGHT: Column[Line] = Column(
    "in flight", lambda line: str(line.row.ranked.in_flight or NOTHING), right=True
)
WEIGHT: Column[Line] = Column(
    "weight", lambda line: f"{line.row.ranked.endpoint.weight:g}", right=True
)
EXPECTED: Column[Line] = Column(
    "expected", lambda line: _ms(line.price), right=True, style=lambda _: "bold"
)
VERDICT: Column[Line] = Column(
    "verdict", lambda line: line.verdict, folds=True, style=lambda x: "green" * x.chosen
)
FIGURES: tuple[Column[Line], ...] = (
    DISTANCE.of(_row),
    PRIOR.of(_row),
    Column("RTT ± sd", _rtt, right=True),
    SERVICE,
    QUEUE,
    MORE,
    RISK,
    IN_FLIGHT,
    WEIGHT,
    TIERS := TIER.of(_row),
    EXPECTED,
    HEALTH.of(_row),
)
WHERE: Column[Line] = PLACE.of(_row)
SAYS_NOTHING = dict.fromkeys((SERVICE, QUEUE, MORE, RISK, IN_FLIGHT), NOTHING) | dict.fromkeys(
    (WEIGHT, TIERS), "1"
)


def sheet(lines: Sequence[Line]) -> Sheet[Line]:
    """Return the columns that say something about these lines."""
    figures = [column for column in FIGURES if _tells(column, lines)]
    return Sheet(
        columns=(NAME, WHERE, *figures, VERDICT),
        figures=(NAME, *figures),
        words=(NAME, WHERE, VERDICT),
    )


def _tells(column: Column[Line], lines: Sequence[Line]) -> bool:
    return any(column.text(line) != SAYS_NOTHING.get(column) for line in lines)
