"""Commands that go on, round after round, until Ctrl-C: their options, and what they show.

Rule: JSON is a line a round, for programs. A terminal has a live view; anything else gets one block
      under the other.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from router.cli.arguments import duration
from router.cli.table import console, is_live, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.console import Console, RenderableType

__all__ = ["View", "keep_showing", "watchable"]

T = TypeVar("T")
C = TypeVar("C", bound="Callable[..., Any]")


def watchable(doing: str, *, every: str, note: str = "") -> Callable[[C], C]:
    """Give a command the options --watch and --every.

    Args:
        doing: what it does in each round, such as `Probe`.
        every: the least time from one round to the next, where none is given.
        note: what else to know of that time.
    """
    words = f"With --watch: time from one round to the next. {note}".rstrip()
    options = (
        click.option("--watch", is_flag=True, help=f"{doing} again and again, until Ctrl-C."),
        click.option("--every", type=duration, default=every, show_default=True, help=words),
        click.option("--rounds", type=click.IntRange(1), hidden=True),
    )

    def with_options(command: C) -> C:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


@dataclass(frozen=True, slots=True)
class View(Generic[T]):
    """What one round finds, and how that is shown.

    Attributes:
        find: does one round.
        plain: returns what was found as plain data.
        draw: returns it as it is drawn.
        first: stands on a terminal until the first round is done.
    """

    find: Callable[[], T]
    plain: Callable[[T], Any]
    draw: Callable[[Console, T], RenderableType]
    first: str


def keep_showing(view: View[T], every: float, *, most: int | None, as_json: bool) -> None:
    """Show rounds, at least `every` seconds apart and at most so many, until Ctrl-C."""
    screen = console()
    with contextlib.suppress(KeyboardInterrupt):
        found = ((number, view.find()) for number in _turns(every, most=most))
        if as_json:
            for _, each in found:
                click.echo(json.dumps(view.plain(each)))
        elif is_live(screen):
            _live(screen, view, found)
        else:
            for number, each in found:
                click.echo(_title(number))
                write(screen, view.draw(screen, each))
                click.echo()


def _live(screen: Console, view: View[T], found: Iterator[tuple[int, T]]) -> None:
    with Live(Text(view.first), console=screen, auto_refresh=False) as live:
        for number, each in found:
            caption = Text(f"{_title(number)}, Ctrl-C to stop", style="dim")
            live.update(Group(view.draw(screen, each), Text(), caption), refresh=True)


def _turns(every: float, *, most: int | None) -> Iterator[int]:
    """Yield 1, 2, … with at least `every` seconds from one to the next; at most `most` of them."""
    for number in itertools.count(1):
        began = time.monotonic()
        yield number
        if number == most:
            return
        time.sleep(max(0.0, began + every - time.monotonic()))


def _title(number: int) -> str:
    return f"Round {number}, {datetime.now().astimezone():%Y-%m-%d %H:%M:%S}"
