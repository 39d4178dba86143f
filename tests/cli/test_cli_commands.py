"""What holds for all commands: help, version, the schema, and the message without the extra."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest
from cli_runs import CHECKOUT, python, run, written

from router.config import schema
from router.version import __version__

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = [["probe"], ["rank"], ["explain"], ["check"], ["vantage"], ["clock"], ["token"]]
COMMANDS += [["limits"]]
COMMANDS += [["config", "schema"]]
BLOCKED = """
import sys

missing = sys.argv.pop(1)

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if missing in (name, name.partition(".")[0]):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from router.cli import main
main(["--version"])
"""


def test_python_runs_the_package_as_the_command() -> None:
    done = python("-m", "router", "--version")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"router {__version__}\n", "")


def test_help_names_every_command_and_how_to_complete_them() -> None:
    done = run("--help")

    assert done.exit_code == 0
    for words in (*(command[0] for command in COMMANDS), "_ROUTER_COMPLETE=bash_source"):
        assert words in done.stdout


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_is_short_and_has_an_example(command: list[str]) -> None:
    done = run(*command, "--help")

    assert done.exit_code == 0
    assert f"Example: router {' '.join(command)}" in done.stdout
    assert len(done.stdout.splitlines()) < 25


def test_the_schema_is_that_of_the_library() -> None:
    done = run("config", "schema")

    assert (done.exit_code, done.stderr) == (0, "")
    assert json.loads(done.stdout) == schema()


@pytest.mark.parametrize("command", COMMANDS[:5], ids=" ".join)
def test_a_missing_argument_is_a_usage_error(command: list[str]) -> None:
    done = run(*command)

    assert done.exit_code == 2
    wanted = "PLACE=FILE..." if command == ["vantage"] else "FILE"
    assert f"Missing argument '{wanted}'" in done.stderr


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_one_line_says_what_to_install(missing: str) -> None:
    done = python("-c", BLOCKED, missing)

    assert (done.returncode, done.stdout) == (1, "")
    assert (
        done.stderr == "The command line needs click and rich: pip install 'region-router[cli]'\n"
    )


def test_any_other_missing_module_is_a_fault_that_shows_itself() -> None:
    done = python("-c", BLOCKED, "router.cli.rank")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("ModuleNotFoundError: No module named 'router.cli.rank'\n")


@pytest.mark.parametrize("missing", ["httpx", "click"])
def test_the_script_says_what_is_missing(missing: str, tmp_path: Path) -> None:
    program = BLOCKED.partition("from router")[0] + (
        "import runpy; runpy.run_path(sys.argv.pop(1), run_name='__main__')"
    )

    done = python("-c", program, missing, CHECKOUT / "scripts" / "probe.py", "x", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert missing in done.stderr
    assert "pip install" in done.stderr


def test_letters_that_the_output_cannot_write_are_replaced(tmp_path: Path) -> None:
    file = written(tmp_path, "endpoints: [{url: https://a.example, name: 北京}]")
    program = (
        "import sys; sys.stdout.reconfigure(encoding='latin-1')\n"
        "from router.cli import main; main(['rank', sys.argv[1]])"
    )

    done = python("-c", program, file)

    assert (done.returncode, done.stderr) == (0, "")
    assert "1  ??  " in done.stdout


def test_a_command_leaves_the_loggers_as_they_were(tmp_path: Path) -> None:
    before = list(logging.getLogger("router").handlers)

    run("rank", written(tmp_path, "endpoints: [https://a.example]"))

    assert logging.getLogger("router").handlers == before
