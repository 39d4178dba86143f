"""The group of all commands, and what holds for each of them.

Rule 1: an error of ours is its own sentence on stderr and exit code 1, never a traceback; a wrong
        option or argument is click's usage error and exit code 2.
Rule 2: what the library warns of while a command runs stands on stderr as `warning: …`.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from router.cli.check import check
from router.cli.clock import clock
from router.cli.config import config
from router.cli.explain import explain
from router.cli.limits import limits
from router.cli.probe import probe
from router.cli.rank import rank
from router.cli.token import token
from router.cli.vantage import vantage
from router.errors import RouterError
from router.version import __version__

__all__ = ["commands"]

COMPLETION = 'Completion for bash (or zsh, fish): eval "$(_ROUTER_COMPLETE=bash_source router)"'


class Failed(click.ClickException):
    """An error of ours on its way to stderr."""

    def show(self, file: Any = None) -> None:
        click.echo(self.message, file=file, err=True)


class Warnings(logging.Handler):
    """Shows what the library logs as warnings."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(f"warning: {record.getMessage()}", err=True)


class Commands(click.Group):
    """A group in which our errors become one sentence."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RouterError as error:
            raise Failed(str(error)) from None


@click.group(
    cls=Commands,
    epilog=COMPLETION,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="router", message="%(prog)s %(version)s")
@click.pass_context
def commands(context: click.Context) -> None:
    """Rank the regions of an HTTP API, check its configuration, and tell how true the clock is."""
    logger, handler = logging.getLogger("router"), Warnings(logging.WARNING)
    logger.addHandler(handler)
    context.call_on_close(lambda: logger.removeHandler(handler))


for command in (probe, rank, explain, vantage, clock, token, limits, check, config):
    commands.add_command(command)
