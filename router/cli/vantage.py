"""`router vantage`: what probes from several hosts prove together; no packet is sent.

Each host runs `router probe routes.yaml --json`; this command reads what they printed. The files
do not say where they were made, so each argument does: `PLACE=FILE`.

Rule: a row without a measured round-trip time is an endpoint that did not answer there.
"""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from router.cli.arguments import STDIN, as_json, shown
from router.cli.table import Column, Sheet, console, show
from router.config.document import LARGEST
from router.config.sources import read_bounded
from router.endpoint import Location
from router.errors import ConfigError
from router.geo import regions
from router.geo.anycast import Judgement, Observation, judge

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["vantage"]

COLOURS = {"one place": "green", "anycast": "yellow", "misplaced": "red"}
FLAG = re.compile("--?[a-z]")
NOT_PROBES = "it is not what `router probe FILE --json` prints"


@dataclass(frozen=True, slots=True)
class Vantage:
    """A host that probed: what people call its place, where that is, and the file it wrote."""

    place: str
    where: Location
    file: str


@dataclass(slots=True)
class Seen:
    """All that was seen of one endpoint, and where it is said to be."""

    name: str
    claimed: Location | None
    asked: int = 0
    observations: list[Observation] = field(default_factory=list)

    def judged(self) -> Judgement:
        return judge(self.observations, self.claimed)


def parse_vantage(text: str) -> Vantage:
    """Return the vantage of `PLACE=FILE`; the place is a region code or `latitude,longitude`."""
    place, _, file = text.partition("=")
    if not place or not file:
        raise click.BadParameter(
            f"write {text!r} as PLACE=FILE, as in aws:eu-central-1=berlin.json."
        )
    if "," not in place:
        try:
            region = regions.require(place)
        except ConfigError as error:
            raise click.BadParameter(str(error)) from None
        return Vantage(region.city, region.location, file)
    try:
        latitude, longitude = map(float, place.split(","))
        return Vantage(place, Location(latitude, longitude), file)
    except ValueError:
        raise click.BadParameter(
            f"write {place!r} as latitude,longitude in degrees, as in 35.7,139.7."
        ) from None


class SouthernPlaces(click.Command):
    """A command whose arguments may begin with a minus and a digit: places south of the equator.

    All of its options are flags, so they can be taken out from between the arguments.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        flags = [argument for argument in args if FLAG.match(argument)]
        rest = [argument for argument in args if argument not in {*flags, "--"}]
        return super().parse_args(ctx, [*flags, "--", *rest])


@click.command(
    cls=SouthernPlaces,
    short_help="Tell anycast from one place, by probes from several hosts.",
    epilog="Example: router vantage aws:eu-central-1=berlin.json 35.7,139.7=tokyo.json",
)
@click.argument("vantages", metavar="PLACE=FILE...", nargs=-1, required=True, type=parse_vantage)
@as_json
def vantage(*, vantages: tuple[Vantage, ...], as_json: bool) -> None:
    """Judge each endpoint by what `router probe --json` printed on hosts in several places.

    Light proves an endpoint anycast where two answers are too quick for any one place, and its
    configured place wrong where one answer is too quick for that. FILE - is standard input.
    """
    seen = _gathered(vantages)
    if as_json:
        click.echo(json.dumps([_as_json(endpoint) for endpoint in seen], indent=2))
    else:
        show(console(), [(endpoint, endpoint.judged()) for endpoint in seen], SHEET)


def _gathered(vantages: Iterable[Vantage]) -> list[Seen]:
    seen: dict[str, Seen] = {}
    for at in vantages:
        for row in _rows(at.file):
            try:
                _add(seen, at, row)
            except (KeyError, TypeError, ValueError):
                raise ConfigError(f"{shown(at.file)}: {NOT_PROBES}") from None
    return list(seen.values())


def _add(seen: dict[str, Seen], at: Vantage, row: dict[str, Any]) -> None:
    name, rtt_ms = str(row["name"]), row["rtt_ms"]
    endpoint = seen.setdefault(name, Seen(name, _claimed(row)))
    endpoint.asked += 1
    if rtt_ms is None:
        return
    if not 0 <= rtt_ms < math.inf:
        raise ValueError("a round-trip time is a finite number from 0 up")
    endpoint.observations.append(Observation(at.place, at.where, rtt_ms / 1e3))


def _claimed(row: dict[str, Any]) -> Location | None:
    """Return where a row says that its endpoint is; a place in degrees outweighs a region."""
    if row["location"] is not None:
        latitude, longitude = row["location"]
        return Location(latitude, longitude)
    region = None if row["region"] is None else regions.find(row["region"])
    return None if region is None else region.location


def _rows(file: str) -> list[Any]:
    content = _content(file)
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise ConfigError(f"{shown(file)}: {NOT_PROBES}")
    return found


def _content(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read(LARGEST + 1)
    try:
        return read_bounded(file, most=LARGEST)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _as_json(endpoint: Seen) -> dict[str, Any]:
    judged = endpoint.judged()
    pair = () if judged.proof is None else (judged.proof.a, judged.proof.b)
    return {
        "name": endpoint.name,
        "verdict": judged.verdict,
        "reason": judged.why,
        "vantages": [_vantage_json(one) for one in endpoint.observations],
        "proof": [_vantage_json(one) for one in pair] or None,
    }


def _vantage_json(one: Observation) -> dict[str, Any]:
    return {"place": one.place, "rtt_ms": round(one.rtt * 1e3, 3)}


Judged = tuple[Seen, Judgement]
NAME: Column[Judged] = Column("endpoint", lambda row: row[0].name, folds=True)
ANSWERED: Column[Judged] = Column(
    "answered", lambda row: f"{len(row[0].observations)}/{row[0].asked}", right=True
)
VERDICT: Column[Judged] = Column(
    "verdict",
    lambda row: row[1].verdict,
    style=lambda row: COLOURS.get(row[1].verdict, ""),
)
REASON: Column[Judged] = Column("reason", lambda row: row[1].why, folds=True)
SHEET: Sheet[Judged] = Sheet(
    columns=(NAME, ANSWERED, VERDICT, REASON),
    figures=(NAME, ANSWERED, VERDICT),
    words=(NAME, REASON),
)
