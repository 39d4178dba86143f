"""The command line, `router`: one file a command.

Rule 1: a command has no knowledge of its own; it asks the library and shows the answer.
Rule 2: stdout holds the answer and nothing else; progress, warnings and errors go to stderr.
Rule 3: click and rich are an extra, so they are imported when a command runs.
"""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ["main"]

EXTRA = frozenset({"click", "rich"})


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line on `arguments`, by default those of this process, and exit."""
    try:
        from router.cli.commands import commands  # noqa: PLC0415 - the extra may be missing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in EXTRA:
            raise
        raise SystemExit(
            "The command line needs click and rich: pip install 'region-router[cli]'"
        ) from None
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without ± is no reason to fail
    commands.main(arguments, prog_name="router")
    raise AssertionError  # click has exited
