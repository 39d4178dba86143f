"""What `router clock` shows to people: sentences first, then the figures behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Group
from rich.text import Text

from router.cli.clock_words import advice, stamped, summary
from router.cli.span import signed, span
from router.cli.table import Column, Sheet, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console, RenderableType

    from router.cli.endpoint_clocks import EndpointClock
    from router.cli.finding import Finding
    from router.cli.rungs import RungRow
    from router.clock.report import SourceReport

__all__ = ["drawn"]

COLOURS = {"used": "green", "falseticker": "red"}


def _or_dash(value: float | None, words: Callable[[float], str]) -> str:
    return "-" if value is None else words(value)


def _bound(seconds: float | None) -> str:
    return _or_dash(seconds, lambda known: f"± {span(known)}")


def _wall_error(server: SourceReport) -> str:
    return "-" if server.offset is None else signed(-server.offset)


def _standing(row: RungRow) -> str:
    if row.serves:
        return "serves"
    return "-" if row.bound is None else "stands by"


def _serving(row: RungRow) -> str:
    return "" if not row.serves else "red" if row.bound is None else "green"


SERVER: Column[SourceReport] = Column("NTP server", lambda row: row.server, folds=True)
SERVERS_VERDICT: Column[SourceReport] = Column(
    "verdict", lambda row: row.verdict, style=lambda row: COLOURS.get(row.verdict, "yellow")
)
SERVERS_WHY: Column[SourceReport] = Column("why", lambda row: row.reason, folds=True)
SERVERS_FIGURES: tuple[Column[SourceReport], ...] = (
    SERVER,
    Column("wall - server", _wall_error, right=True),
    Column("bound", lambda row: _bound(row.bound), right=True),
    Column("delay", lambda row: _or_dash(row.delay, span), right=True),
    Column("stratum", lambda row: str(row.stratum or "-"), right=True),
    SERVERS_VERDICT,
)
SERVERS = Sheet(
    columns=(*SERVERS_FIGURES, SERVERS_WHY),
    figures=SERVERS_FIGURES,
    words=(SERVER, SERVERS_WHY),
)

RUNG: Column[RungRow] = Column("ladder", lambda row: row.rung)
RUNGS_WHY: Column[RungRow] = Column("why", lambda row: row.reason, folds=True)
RUNGS_FIGURES: tuple[Column[RungRow], ...] = (
    RUNG,
    Column("wall - UTC", lambda row: _or_dash(row.wall_error, signed), right=True),
    Column("bound", lambda row: _bound(row.bound), right=True),
    Column("standing", _standing, style=_serving),
)
RUNGS = Sheet(columns=(*RUNGS_FIGURES, RUNGS_WHY), figures=RUNGS_FIGURES, words=(RUNG, RUNGS_WHY))

ENDPOINT: Column[EndpointClock] = Column("endpoint", lambda row: row.name, folds=True)
ENDPOINTS_WHY: Column[EndpointClock] = Column("why", lambda row: row.reason, folds=True)
ENDPOINTS_FIGURES: tuple[Column[EndpointClock], ...] = (
    ENDPOINT,
    Column("its clock - UTC", lambda row: _or_dash(row.error, signed), right=True),
    Column("bound", lambda row: _bound(row.bound), right=True),
    Column("verdict", lambda row: row.verdict, style=lambda row: "" if row.skew is None else "red"),
)
ENDPOINTS = Sheet(
    columns=(*ENDPOINTS_FIGURES, ENDPOINTS_WHY),
    figures=ENDPOINTS_FIGURES,
    words=(ENDPOINT, ENDPOINTS_WHY),
)


def drawn(made: Console, finding: Finding) -> RenderableType:
    """Return the sentences and the tables."""
    parts: list[RenderableType] = [Text(summary(finding), style="bold"), Text(stamped(finding))]
    if words := advice(finding):
        parts.append(Text(words))
    if finding.servers:
        parts += [Text(), layout(made, finding.servers, SERVERS)]
    parts += [Text(), layout(made, finding.rungs, RUNGS)]
    if finding.endpoints:
        parts += [Text(), layout(made, finding.endpoints, ENDPOINTS)]
    return Group(*parts)
