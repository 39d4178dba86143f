"""`router config`: about the configuration file's format."""

from __future__ import annotations

import json

import click

__all__ = ["config"]


@click.group(short_help="About the configuration file.")
def config() -> None:
    """Tell about the format of the configuration file."""


@config.command(
    short_help="Print the JSON Schema of the file.",
    epilog="Example: router config schema > routes.schema.json",
)
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors and other checks."""
    from router.config.json_schema import schema as made  # noqa: PLC0415 - it loads pydantic

    click.echo(json.dumps(made(), indent=2))
