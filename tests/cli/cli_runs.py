"""Runs of the command line: in this process, or as somebody else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from router.cli.commands import commands

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.testing import Result

    from router.testing import Regions

CHECKOUT = Path(__file__).resolve().parents[2]
DEMO = CHECKOUT / "data" / "demo.mmdb"
EXAMPLE = CHECKOUT / "data" / "routes.example.yaml"
PLAIN = {"FORCE_COLOR": None, "TTY_COMPATIBLE": None, "COLUMNS": None}


def run(*arguments: str | Path, env: dict[str, str] | None = None, **more: Any) -> Result:
    """Run `router` in this process, without a terminal."""
    return CliRunner(env={**PLAIN, **(env or {})}).invoke(
        commands, [str(argument) for argument in arguments], prog_name="router", **more
    )


def python(
    *arguments: str | Path, cwd: Path = CHECKOUT, path: str = str(CHECKOUT)
) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own; `path` is where it finds modules first."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(path),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def environment(path: str = str(CHECKOUT)) -> dict[str, str]:
    """Return this process's environment without what changes how a terminal is seen."""
    kept = {name: value for name, value in os.environ.items() if name not in PLAIN}
    return {**kept, "PYTHONPATH": path, "TERM": "xterm-256color"}


def routes_of(regions: Regions, folder: Path, *more: str) -> Path:
    """Write the configuration that serves from these regions; `more` are further endpoints."""
    lines = [f"- {{name: {region.name}, url: '{region.url}'}}" for region in regions]
    return written(folder, "\n".join(["endpoints:", *lines, *more]))


def written(folder: Path, text: str) -> Path:
    file = folder / "routes.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def column(table: str, heading: str, headings: Sequence[str]) -> list[str]:
    """Return one column of a table in plain text."""
    lines = table.splitlines()
    place = headings.index(heading)
    assert lines[0].split() == list(headings)
    return [line.split(maxsplit=len(headings) - 1)[place] for line in lines[1:]]
