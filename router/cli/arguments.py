"""What commands take: a configuration file, a duration, and the Router that a file describes."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from router.config.document import LARGEST
from router.config.loader import load, loads, places_of
from router.errors import ConfigError
from router.router import Router
from router.units import parse_positive_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from router.config.settings import Config

__all__ = [
    "as_json",
    "assembled",
    "duration",
    "file_argument",
    "in_file",
    "optional_file_argument",
    "probe_timeout",
    "read",
    "routing",
    "shown",
    "with_timeout",
]

STDIN = "-"

file_argument = click.argument("file", type=click.Path(allow_dash=True))
optional_file_argument = click.argument("file", type=click.Path(allow_dash=True), required=False)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")


def duration(text: str) -> float:
    """Return seconds from a duration with its unit, as in the configuration file."""
    try:
        return parse_positive_duration(text)
    except ValueError as error:
        raise click.BadParameter(f"{error}.") from None


probe_timeout = click.option(
    "--timeout", type=duration, help="Longest time for one probe, such as 2s."
)


def with_timeout(config: Config, seconds: float | None) -> Config:
    """Return the configuration with this time for one probe, where one is given."""
    if seconds is None:
        return config
    return replace(config, probe=replace(config.probe, timeout=seconds))


def read(file: str) -> Config:
    """Return the configuration in a file, or on standard input if the file is `-`.

    Raises:
        ConfigError: something in it is wrong; one problem a line.
    """
    if file == STDIN:
        return loads(sys.stdin.buffer.read(LARGEST + 1), name=shown(file))
    return load(file)


def shown(file: str) -> str:
    """Return what messages call the file."""
    return "standard input" if file == STDIN else file


def in_file(file: str, problems: Sequence[str]) -> ConfigError:
    """Return the error for what the library found wrong after the file was read."""
    places = {} if file == STDIN else places_of(file, problems)
    return ConfigError(*(f"{shown(file)}{places.get(text, '')}: {text}" for text in problems))


def assembled(config: Config) -> Router:
    """Return a Router; where its tokens come from the user's code, there are none here.

    Raises:
        ConfigError: it cannot be made.
    """
    if config.token is not None and config.token.grant == "callable":
        return Router(config, token=str)
    return Router(config)


@contextlib.contextmanager
def routing(file: str, config: Config) -> Iterator[Router]:
    """Make a Router of what the file holds; nothing is started, and at the end it is closed."""
    try:
        with contextlib.closing(assembled(config)) as router:
            yield router
    except ConfigError as error:
        raise in_file(file, error.problems) from None
