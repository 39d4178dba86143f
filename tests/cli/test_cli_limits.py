"""`router limits`: what the configured limits admit; nothing is sent, and no secret is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli_runs import run, written

if TYPE_CHECKING:
    from pathlib import Path

ROUTES = """
endpoints:
- {name: eu, url: https://eu.example.com, limits: {concurrency: 3, rate: 5/s}}
- {name: us, url: https://us.example.com}
limits:
  concurrency: 20
  rate: [60/minute, {of: tokens, rate: 40000/minute, burst: 8000, cost: 500}]
"""
TABLE = """\
for               limit  of         burst  at once  then
all endpoints        20  under way      -       20  when one is back
all endpoints    60/minute  requests       6        6  one every 1 s
all endpoints  40000/minute  tokens      8000        6  one every 1.8 s
eu                    3  under way      -        3  when one is back
eu                 5/s  requests       1        1  one every 0.2 s

6 such requests start at once, then at most one every 1.8 s; 10000 may wait.
"""


def test_the_table_says_what_is_admitted_at_once_and_then(tmp_path: Path) -> None:
    done = run("limits", written(tmp_path, ROUTES), "--cost", "tokens=1200")
    assert (done.exit_code, done.stderr) == (0, "")
    shown = [line.split() for line in done.stdout.splitlines()]
    assert shown == [line.split() for line in TABLE.splitlines()]


def test_the_json_holds_the_same_and_a_look_at_the_limiter(tmp_path: Path) -> None:
    done = run("limits", written(tmp_path, ROUTES), "--json")
    told = json.loads(done.stdout)
    assert told["peek"] == {"wait_s": 0.0, "at_once": True}
    assert told["account"]["concurrency"] == 20
    assert [rate["left"] for rate in told["account"]["rates"]] == [6, 8000]
    assert [(row["for"], row["at_once"]) for row in told["limits"]] == [
        (None, 20),
        (None, 6),
        (None, 16),
        ("eu", 3),
        ("eu", 1),
    ]


def test_a_request_that_costs_too_much_is_told(tmp_path: Path) -> None:
    asked = "limits", written(tmp_path, ROUTES), "--cost", "tokens=9000"
    assert "refused: it costs more than a burst" in run(*asked).stdout
    assert (run(*asked).exit_code, run(*asked, "--json").exit_code) == (1, 1)
    assert "limits.burst" in json.loads(run(*asked, "--json").stdout)["peek"]["refused"]


def test_a_cost_that_no_rate_counts_is_refused(tmp_path: Path) -> None:
    done = run("limits", written(tmp_path, ROUTES), "--cost", "tokns=1")
    assert done.exit_code == 2
    assert "no rate counts 'tokns': they count requests, tokens" in done.stderr


def test_where_limits_are_shared_it_says_that_redis_was_not_asked(tmp_path: Path) -> None:
    text = f"{ROUTES}share: {{url: 'redis://:planted@127.0.0.1:1'}}\n"
    done = run("limits", written(tmp_path, text))
    assert "--fleet" in done.stdout
    assert "planted" not in done.stdout
    assert "--fleet" not in run("limits", written(tmp_path, ROUTES)).stdout


def test_where_there_is_no_limit_it_says_so(tmp_path: Path) -> None:
    done = run("limits", written(tmp_path, "endpoints: [https://a.example]"))
    assert done.stdout.startswith("There is no limit")


def test_limits_of_endpoints_alone_are_shown(tmp_path: Path) -> None:
    text = "endpoints: [{url: https://a.example, limits: {concurrency: 3}}]"
    done = run("limits", written(tmp_path, text))
    assert "no limit for all endpoints together" in done.stdout


@pytest.mark.parametrize("cost", ["x", "tokens=", "=", "0", "tokens=-1", "tokens=nan"])
def test_what_is_no_cost_is_a_usage_error(cost: str, tmp_path: Path) -> None:
    done = run("limits", written(tmp_path, ROUTES), "--cost", cost)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "tokens=1200" in done.stderr
