"""`router limits`: what the configured limits are, and what they would admit.

Rule 1: figures come from the limiter that the file describes, as it is when a process starts. The
        URL of a shared limit is a secret, so it is only said that there is one.
Rule 2: nothing is sent, unless it is asked for who holds what (`--fleet`): that goes to Redis only.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from router.cli.arguments import as_json, file_argument, read, routing
from router.cli.fleet import fleet_of, show_fleet, told_of
from router.cli.table import Column, Sheet, console, show
from router.errors import OptionsError
from router.limits.limiter import Limiter
from router.limits.outlook import standing
from router.options import Options
from router.rates import REQUESTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.config import Config
    from router.rates import Bound
    from router.shared.holdings import Fleet

__all__ = ["limits"]

ACCOUNT = "all endpoints"


@dataclass(frozen=True, slots=True)
class Row:
    """One limit: whose, what, and what it admits of requests with the cost that is asked about.

    Attributes:
        at_once: how many such requests may start at once after a pause.
        every: seconds from one to the next after that; None: it is not limited by time.
    """

    where: str
    limit: str
    of: str
    burst: str
    at_once: float
    every: float | None

    @property
    def then(self) -> str:
        """What comes after the first, in words."""
        return "when one is back" if self.every is None else f"one every {self.every:.3g} s"


WHERE: Column[Row] = Column("for", lambda row: row.where, folds=True)
LIMIT: Column[Row] = Column("limit", lambda row: row.limit, right=True)
OF: Column[Row] = Column("of", lambda row: row.of)
BURST: Column[Row] = Column("burst", lambda row: row.burst, right=True)
AT_ONCE: Column[Row] = Column("at once", lambda row: _count(row.at_once), right=True)
THEN: Column[Row] = Column("then", lambda row: row.then, folds=True)
COLUMNS = (WHERE, LIMIT, OF, BURST, AT_ONCE, THEN)
SHEET: Sheet[Row] = Sheet(columns=COLUMNS, figures=COLUMNS[:-1], words=(WHERE, LIMIT, THEN))


@click.command(
    short_help="Tell what the configured limits admit.",
    epilog="Example: router limits routes.yaml --cost tokens=1200",
)
@file_argument
@click.option(
    "--cost",
    "costs",
    multiple=True,
    metavar="[NAME=]NUMBER",
    help="What a request costs, such as tokens=1200 or 2 (requests); may be repeated.",
)
@click.option(
    "--fleet",
    "with_fleet",
    is_flag=True,
    help="Ask the Redis of share: which processes there are, and who holds what.",
)
@as_json
def limits(*, file: str, costs: tuple[str, ...], with_fleet: bool, as_json: bool) -> None:
    """Tell the limits of FILE, and what they would admit of one kind of request; - is stdin.

    No running process is asked: bursts are whole, and nobody waits. Without --fleet nothing is
    sent. The exit code is 1 if such a request is refused.
    """
    options = _options(costs)
    config = read(file)
    _refuse_unknown(config, options)
    fleet = fleet_of(config) if with_fleet else None
    with routing(file, config) as router:
        rows = list(_rows(config, options))
        if as_json:
            told = _told(config, options, rows, now=router.now())
            told |= {} if fleet is None else {"fleet": told_of(fleet)}
            click.echo(json.dumps(told, indent=2))
        elif rows:
            show(console(), rows, SHEET)
            click.echo(f"\n{_summary(config, rows)}")
        else:
            click.echo("There is no limit: see limits: in the documentation.")
        if not as_json:
            _say_of_fleet(config, fleet)
        if _most_at_once(rows) < 1:
            raise SystemExit(1)


def _say_of_fleet(config: Config, fleet: Fleet | None) -> None:
    if fleet is not None:
        show_fleet(fleet)
    elif config.shared is not None:
        click.echo("All processes share this. Redis was not asked: --fleet tells who holds what.")


def _refuse_unknown(config: Config, options: Options) -> None:
    """Refuse a cost that no rate counts.

    Raises:
        BadParameter: there is one.
    """
    own = [endpoint.limits.bounds for endpoint in config.endpoints if endpoint.limits is not None]
    known = {REQUESTS, *(bound.of for bounds in (config.limits.bounds, *own) for bound in bounds)}
    for name, _ in options.costs:
        if name not in known:
            raise click.BadParameter(
                f"no rate counts {name!r}: they count {', '.join(sorted(known))}.",
                param_hint="--cost",
            )


def _options(costs: tuple[str, ...]) -> Options:
    named: dict[str, float] = {}
    try:
        for text in costs:
            name, _, number = text.rpartition("=")
            named[name or REQUESTS] = float(number)
        return Options(cost=named or 1.0)
    except (ValueError, OptionsError):
        raise click.BadParameter(
            "write NAME=NUMBER, such as tokens=1200, or a number of requests.", param_hint="--cost"
        ) from None


def _rows(config: Config, options: Options) -> Iterator[Row]:
    yield from _window(ACCOUNT, config.limits.concurrency, adaptive=config.limits.adaptive)
    yield from (_rate(ACCOUNT, bound, options) for bound in config.limits.bounds)
    for endpoint in config.endpoints:
        if endpoint.limits is not None:
            yield from _window(endpoint.name, endpoint.limits.concurrency)
            yield from (_rate(endpoint.name, bound, options) for bound in endpoint.limits.bounds)


def _window(where: str, most: int | None, *, adaptive: bool = False) -> Iterator[Row]:
    if most is not None or adaptive:
        size = math.inf if most is None else float(most)
        words = "adaptive" if most is None else f"up to {most}" if adaptive else str(most)
        yield Row(where, words, "under way", "-", size, None)


def _rate(where: str, bound: Bound, options: Options) -> Row:
    named = dict(options.costs)
    cost = options.cost if bound.of == REQUESTS else named.get(bound.of, bound.cost)
    at_once = bound.most // cost if cost else math.inf
    return Row(
        where, str(bound.rate), bound.of, str(bound.most), at_once, cost * bound.rate.interval
    )


def _summary(config: Config, rows: list[Row]) -> str:
    """Return what all of the account's limits together mean."""
    own = _of_account(rows)
    if not own:
        return "There is no limit for all endpoints together."
    at_once = _most_at_once(rows)
    if at_once < 1:
        return "Such a request is refused: it costs more than a burst."
    every = max((row.every or 0.0 for row in own), default=0.0)
    pace = f", then at most one every {every:.3g} s" if every else ""
    return f"{_count(at_once)} such requests start at once{pace}; {config.limits.queue} may wait."


def _of_account(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.where == ACCOUNT]


def _most_at_once(rows: list[Row]) -> float:
    return min((row.at_once for row in _of_account(rows)), default=math.inf)


def _count(number: float) -> str:
    return "any number" if math.isinf(number) else f"{number:.0f}"


def _told(config: Config, options: Options, rows: list[Row], *, now: float) -> dict[str, Any]:
    limiter = Limiter(config.limits)  # by itself: a shared one knows nothing before it is running
    try:
        outlook = limiter.peek(now, cost=options.cost, costs=options.costs)
    except OptionsError as error:
        peek: dict[str, Any] = {"refused": str(error)}
    else:
        peek = {"wait_s": outlook.wait, "at_once": outlook.at_once}
    settings = config.limits
    return {
        "account": standing(limiter, now),
        "queue": settings.queue,
        "adaptive": settings.adaptive,
        "learn": settings.learn,
        "shared": config.shared is not None,
        "peek": peek,
        "limits": [
            {
                "for": None if row.where is ACCOUNT else row.where,
                "limit": row.limit,
                "of": row.of,
                "at_once": None if math.isinf(row.at_once) else int(row.at_once),
                "every_s": row.every,
            }
            for row in rows
        ],
    }
