"""`router probe` against loopback regions: what is measured, in which order it is told, and how."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import (
    CHECKOUT,
    DEMO,
    column,
    environment,
    python,
    routes_of,
    run,
    written,
)
from terminal_runs import asked, watched

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

HEADINGS = ["#", "endpoint", "place", "distance", "prior", "RTT", "spread", "probes", "source"]
HEADINGS += ["health", "reason"]
ROW = re.compile(
    r"(?P<rank>\d)  (?P<name>\S+) +- +- +100 ms +(?P<rtt>[\d.]+ ms|-) +(?P<spread>± [\d.]+|-)"
    r" +(?P<probes>\d/\d) +(?P<source>\w+) +(?P<health>\w+) +(?P<reason>\S.*)"
)
DEAD = "- {name: dead, url: 'http://127.0.0.1:9'}"
KEYS = ["rank", "name", "url", "region", "location", "tier", "distance_km", "prior_ms", "reason"]
KEYS += ["rtt_ms", "spread_ms", "source", "probes_sent", "probes_answered", "health", "skew_s"]


def rows(table: str) -> list[dict[str, Any]]:
    lines = table.splitlines()
    assert lines[0].split() == HEADINGS
    found = [ROW.fullmatch(line) for line in lines[1:]]
    return [match.groupdict() if match else {"unreadable": table} for match in found]


@pytest.mark.alone
def test_endpoints_are_ranked_by_their_measured_latency(regions: Regions, tmp_path: Path) -> None:
    done = run("probe", routes_of(regions, tmp_path))

    assert (done.exit_code, done.stderr) == (0, "")
    found = rows(done.stdout)
    assert [row["name"] for row in found] == ["near", "middle", "far"]
    assert [(row["probes"], row["source"], row["health"]) for row in found] == [
        ("5/5", "measured", "healthy")
    ] * 3
    for row, least in zip(found, (5, 30, 80), strict=True):
        assert float(row["rtt"].removesuffix(" ms")) >= least
        assert row["reason"].endswith("warm request over 5 probes")


def test_the_count_is_how_often_each_endpoint_is_probed(regions: Regions, tmp_path: Path) -> None:
    run("probe", routes_of(regions, tmp_path), "--count", "2")

    assert [region.probes for region in regions] == [4, 4, 4]  # each asks twice: cold and warm
    assert regions.received == []


def test_an_endpoint_out_of_reach_stands_last_with_its_reason(
    regions: Regions, tmp_path: Path
) -> None:
    regions["near"].status = 503

    done = run("probe", routes_of(regions, tmp_path, DEAD), "--count", "1")

    assert (done.exit_code, done.stderr) == (0, "")
    assert [(row["name"], row["health"]) for row in rows(done.stdout)[:2]] == [
        ("middle", "healthy"),
        ("far", "healthy"),
    ]
    last = {row["name"]: row for row in rows(done.stdout)[2:]}
    assert last.keys() == {"near", "dead"}
    assert {row["health"] for row in last.values()} == {"down"}
    assert {row["rtt"] for row in last.values()} == {"-"}
    assert last["near"]["reason"] == "answered 503"
    assert last["dead"]["reason"] == "connection refused"


def test_an_endpoint_is_placed_by_the_database_while_it_is_probed(
    regions: Regions, tmp_path: Path
) -> None:
    port = regions["near"].port
    text = f"""
    geo: {{here: aws:eu-central-1, database: {DEMO}}}
    endpoints: [{{url: "http://203.0.113.1:{port}", address: 127.0.0.1}}]  # the URL says Tokyo
    """

    done = run("probe", written(tmp_path, text), "--count", "3", "--json")

    assert (done.exit_code, done.stderr) == (0, "")
    (found,) = json.loads(done.stdout)
    assert 9_000 < found["distance_km"] < 10_000
    assert (found["health"], found["source"]) == ("healthy", "measured")


def test_no_answer_at_all_is_exit_code_1_and_a_sentence(tmp_path: Path) -> None:
    done = run("probe", written(tmp_path, f"endpoints:\n{DEAD}"), "--count", "1")

    assert done.exit_code == 1
    assert column(done.stdout, "endpoint", HEADINGS) == ["dead"]
    assert done.stderr.startswith("No endpoint answered: check the network")


def test_the_timeout_replaces_that_of_the_file(regions: Regions, tmp_path: Path) -> None:
    for region in regions:
        region.silent = True

    done = run("probe", routes_of(regions, tmp_path), "--count", "1", "--timeout", "40ms")

    assert done.exit_code == 1
    assert {row["reason"] for row in rows(done.stdout)} == {"the probe took over 0.04 s"}


@pytest.mark.alone
def test_json_is_a_list_and_nothing_else(regions: Regions, tmp_path: Path) -> None:
    done = run("probe", routes_of(regions, tmp_path, DEAD), "--json")

    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert [list(row) for row in found] == [KEYS] * 4
    assert [(row["rank"], row["name"]) for row in found] == [
        (1, "near"),
        (2, "middle"),
        (3, "far"),
        (4, "dead"),
    ]
    assert found[0]["rtt_ms"] >= 5
    assert found[0]["url"] == regions["near"].url
    assert {key: found[3][key] for key in KEYS[9:]} == {
        "rtt_ms": None,
        "spread_ms": None,
        "source": "prior",
        "probes_sent": 5,
        "probes_answered": 0,
        "health": "down",
        "skew_s": None,
    }


def test_an_endpoint_whose_clock_the_others_contradict_is_told(
    regions: Regions, tmp_path: Path
) -> None:
    for region in regions:
        region.clock = 0.0
    regions["far"].clock = -60.0

    done = run("probe", routes_of(regions, tmp_path), "--json", "--count", "2")

    skews = {row["name"]: row["skew_s"] for row in json.loads(done.stdout)}
    assert (skews["near"], skews["middle"]) == (None, None)
    assert skews["far"] == pytest.approx(-60.0, abs=1.5)
    assert "its clock is " in done.stdout
    assert "s behind" in done.stdout


def test_watching_without_a_terminal_prints_one_block_after_another(
    regions: Regions, tmp_path: Path
) -> None:
    done = run(
        *("probe", routes_of(regions, tmp_path), "--count", "1"),
        *("--watch", "--every", "1ms", "--rounds", "2"),
    )

    assert (done.exit_code, done.stderr) == (0, "")
    first, second, rest = done.stdout.split("\n\n")
    for number, block in enumerate((first, second), 1):
        title, _, table = block.partition("\n")
        assert re.fullmatch(rf"Round {number}, \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d", title)
        assert [row["name"] for row in rows(table)] == ["near", "middle", "far"]
    assert "over 2 probes" in second  # samples of the first round count in the second
    assert rest == ""


def test_watching_as_json_prints_one_list_a_line(regions: Regions, tmp_path: Path) -> None:
    done = run(
        *("probe", routes_of(regions, tmp_path), "--count", "1", "--json"),
        *("--watch", "--every", "1ms", "--rounds", "3"),
    )

    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [[row["name"] for row in ranking] for ranking in found] == [
        ["near", "middle", "far"]
    ] * 3


def test_watching_sees_an_endpoint_die_and_come_back(regions: Regions, tmp_path: Path) -> None:
    file = routes_of(regions, tmp_path)
    arguments = ["-m", "router", "probe", file, "--watch", "--json", "--count", "3"]
    with subprocess.Popen(
        [sys.executable, *map(str, arguments), "--every", "10ms"],
        cwd=CHECKOUT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    ) as watch:
        assert watch.stdout is not None
        try:
            assert until(watch.stdout, last="far") == "healthy"
            regions["near"].kill()
            assert until(watch.stdout, last="near") == "down"
            regions["near"].revive()
            assert until(watch.stdout, last="far") == "healthy"
        finally:
            watch.send_signal(signal.SIGINT)
            watch.stdout.read()
        assert watch.wait(10) == 0


def until(lines: Any, *, last: str) -> str:
    """Read rankings until `last` stands last; return the health it has there."""
    for _, line in zip(range(20), lines, strict=False):
        row = json.loads(line)[-1]
        if row["name"] == last:
            return str(row["health"])
    return f"{last} never came last"


def test_a_terminal_sees_a_live_table_and_ctrl_c_ends_it_well(
    regions: Regions, tmp_path: Path
) -> None:
    seen = watched("probe", str(routes_of(regions, tmp_path)), "--watch", "--count", "1")

    assert b"over 1 probe" in seen


def test_a_terminal_sees_progress_on_stderr_which_is_gone_at_the_end(
    regions: Regions, tmp_path: Path
) -> None:
    said, seen = asked("probe", str(routes_of(regions, tmp_path)), "--json", code=0)

    assert len(json.loads(said)) == 3
    assert b"Probing" in seen
    assert b"/15" in seen
    assert seen.endswith(b"\x1b[2K")


def test_the_checkout_has_the_same_command_as_a_script(regions: Regions, tmp_path: Path) -> None:
    file = routes_of(regions, tmp_path)
    script = CHECKOUT / "scripts" / "probe.py"

    done = python(script, file.name, "--json", "--count", "1", cwd=tmp_path, path="")

    assert (done.returncode, done.stderr) == (0, "")
    assert [row["name"] for row in json.loads(done.stdout)] == ["near", "middle", "far"]
    assert os.access(script, os.X_OK)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "0"], "0 is not in the range 1<=x<=100"),
        (["--timeout", "2"], "write a duration with its unit, such as 250ms, 10s or 5m"),
        (["--every", "0s"], "this duration is more than zero"),
        (["--client-ip", "192.0.2.1"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run("probe", tmp_path / "routes.yaml", *arguments)

    assert done.exit_code == 2
    assert done.stdout == ""
    assert words in done.stderr
