"""`router clock` for programs, and again and again: JSON, blocks, a live view."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING

import pytest
from cli_runs import run
from clock_runs import asking, clocks, found, kernel_says, routes, swallow
from terminal_runs import asked, watched

from router.testing import NtpServer

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

KEYS = ["summary", "time", "status", "source", "bound_s", "max_error_s", "within_max_error"]
KEYS += ["wall_error_s", "servers", "rungs", "endpoints"]
SERVER_KEYS = ["server", "verdict", "reason", "wall_error_s", "delay_s", "bound_s", "stratum"]
SERVER_KEYS += ["age_s"]
RUNG_KEYS = ["rung", "serves", "reason", "wall_error_s", "bound_s"]
ENDPOINT_KEYS = ["name", "verdict", "reason", "error_s", "bound_s", "skew_s"]


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a kernel that says nothing, as this machine's own may keep its clock or not."""
    kernel_says(monkeypatch, None)


def test_json_has_every_figure_in_seconds(tmp_path: Path, regions: Regions) -> None:
    regions["near"].clock, regions["far"].clock = 1.5, 31.5
    with clocks(1.5, 1.5, 1.5, 1.5) as servers, NtpServer(script=swallow) as silent:
        unanswered = silent.address
        made = found(routes(tmp_path, regions, *servers, unanswered))

    assert list(made) == KEYS
    assert [list(row) for row in made["servers"]] == [SERVER_KEYS] * 5
    assert [list(row) for row in made["rungs"]] == [RUNG_KEYS] * 4
    assert [list(row) for row in made["endpoints"]] == [ENDPOINT_KEYS] * 3
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", made["time"])
    assert (made["status"], made["source"], made["within_max_error"]) == (
        "synchronised",
        "ntp",
        True,
    )
    assert made["max_error_s"] == 0.5
    assert made["wall_error_s"] == pytest.approx(-1.5, abs=0.1)
    assert made["servers"][0]["wall_error_s"] == pytest.approx(-1.5, abs=0.1)
    assert made["servers"][4] == {
        **dict.fromkeys(SERVER_KEYS),
        "server": unanswered,
        "verdict": "rejected",
        "reason": "no valid reply in time",
    }
    assert [row["rung"] for row in made["rungs"]] == ["ntp", "kernel", "http", "wall"]
    assert [row["serves"] for row in made["rungs"]] == [True, False, False, False]
    assert [row["verdict"] for row in made["endpoints"]] == ["agrees", "unknown", "off"]
    assert made["endpoints"][0]["skew_s"] is None
    assert re.fullmatch(r"its own clock is (29|30)\.\d s ahead", made["endpoints"][2]["reason"])
    assert made["endpoints"][1] == {
        **dict.fromkeys(ENDPOINT_KEYS),
        "name": "middle",
        "verdict": "unknown",
        "reason": "no answer with a Date",
    }


def test_what_nobody_knows_is_null() -> None:
    with NtpServer(script=swallow) as silent:
        made = found(*asking(silent.address), code=1)

    assert (made["bound_s"], made["wall_error_s"], made["within_max_error"]) == (None, None, False)
    assert made["source"] == "wall"


def test_watching_without_a_terminal_prints_one_block_after_another() -> None:
    with clocks(0.0) as servers:
        done = run("clock", *asking(*servers), "--watch", "--every", "1ms", "--rounds", "2")

    assert (done.exit_code, done.stderr) == (0, "")
    titles = re.findall(r"^Round (\d), \d{4}-\d\d-\d\d \d\d:\d\d:\d\d$", done.stdout, re.MULTILINE)
    assert titles == ["1", "2"]
    assert done.stdout.count("This machine's clock is right to within") == 2


def test_watching_as_json_prints_one_object_a_line() -> None:
    with clocks(0.0) as servers:
        done = run(
            *("clock", *asking(*servers), "--json"),
            *("--watch", "--every", "1ms", "--rounds", "3"),
        )

    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert [list(finding) for finding in made] == [KEYS] * 3
    assert [finding["source"] for finding in made] == ["ntp"] * 3


def test_a_terminal_sees_a_live_view_and_ctrl_c_ends_it_well() -> None:
    with clocks(1.302) as servers:
        seen = watched("clock", *asking(*servers), "--watch", "--every", "10s")

    assert b"s slow" in seen


def test_a_terminal_sees_on_stderr_that_it_is_asking() -> None:
    with NtpServer(script=swallow) as silent:
        arguments = ("--server", silent.address, "--timeout", "300ms", "--json")
        said, seen = asked("clock", *arguments, code=1)

    assert list(json.loads(said)) == KEYS
    assert b"Asking for the time" in seen
    assert seen.endswith(b"\x1b[2K")


def test_the_clocks_own_log_is_as_it_was_afterwards() -> None:
    with NtpServer(script=swallow) as silent:
        run("clock", *asking(silent.address), "--timeout", "50ms")

    assert not logging.getLogger("router.clock").disabled
