"""`router vantage`: one place or many, by what probes from several hosts printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cli_runs import PLAIN, run, written
from click.testing import CliRunner

from router.cli.commands import Commands
from router.cli.vantage import vantage

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from router.testing import Regions

COMMANDS = Commands("router", commands=[vantage])
TABLE = """\
endpoint  answered  verdict    reason
cdn            2/2  anycast    answers in 4 ms in Frankfurt and in 5 ms in 35.7,139.7, 9 300 km \
apart: anycast
eu             2/2  one place  one place explains all; it answers in 15 ms in Frankfurt
jp             2/2  misplaced  answers in 3 ms in 35.7,139.7, but 9 400 km to its place take \
103 ms: wrong place
gone           0/2  unknown    answered nowhere
far            0/1  unknown    answered nowhere
"""


def judged(*arguments: str, **more: Any) -> Result:
    """Run the command in this process, without a terminal."""
    return CliRunner(env=PLAIN).invoke(
        COMMANDS, ["vantage", *arguments], prog_name="router", **more
    )


def row(name: str, rtt_ms: float | None, **place: Any) -> dict[str, Any]:
    return {"name": name, "region": None, "location": None, "rtt_ms": rtt_ms, **place}


def probed(folder: Path, place: str, rows: list[Any]) -> str:
    """Write what a probe printed; return the argument that names it."""
    file = folder / f"{place.replace(':', '-')}.json"
    file.write_text(json.dumps(rows), encoding="utf-8")
    return f"{place}={file}"


@pytest.fixture
def both(tmp_path: Path) -> list[str]:
    def rows(cdn: float, eu: float, jp: float) -> list[Any]:
        return [
            row("cdn", cdn),
            row("eu", eu, region="aws:eu-central-1"),
            row("jp", jp, location=[50.0, 8.0]),
            row("gone", None, region="aws:eu-west-1"),
        ]

    berlin, tokyo = rows(4, 15, 240), [*rows(5, 230, 3), row("far", None)]
    return [
        probed(tmp_path, "aws:eu-central-1", berlin),
        probed(tmp_path, "35.7,139.7", tokyo),
    ]


def test_the_table_says_what_is_proven_and_by_which_two_answers(both: list[str]) -> None:
    done = judged(*both)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == TABLE


def test_json_has_the_pair_that_proves_it(both: list[str]) -> None:
    found = json.loads(judged(*both, "--json").stdout)

    assert [(one["name"], one["verdict"]) for one in found] == [
        ("cdn", "anycast"),
        ("eu", "one place"),
        ("jp", "misplaced"),
        ("gone", "unknown"),
        ("far", "unknown"),
    ]
    pair = [{"place": "Frankfurt", "rtt_ms": 4.0}, {"place": "35.7,139.7", "rtt_ms": 5.0}]
    assert (found[0]["proof"], found[0]["vantages"]) == (pair, pair)
    assert found[1]["proof"] is None
    assert found[1]["reason"] == "one place explains all; it answers in 15 ms in Frankfurt"


def test_one_vantage_proves_a_place_wrong_but_never_anycast(both: list[str]) -> None:
    found = json.loads(judged(both[1], "--json").stdout)

    assert [one["verdict"] for one in found] == [
        *("unknown", "unknown", "misplaced", "unknown", "unknown"),
    ]


def test_it_reads_what_probe_prints(regions: Regions, tmp_path: Path) -> None:
    lines = [f"- {{name: {region.name}, url: '{region.url}'}}" for region in regions]
    rows = run("probe", written(tmp_path, "\n".join(["endpoints:", *lines])), "--json").stdout
    (tmp_path / "a.json").write_text(rows, encoding="utf-8")

    done = judged(f"aws:eu-central-1={tmp_path}/a.json", "-33.9,151.2=-", "--json", input=rows)

    assert done.exit_code == 0
    assert {one["verdict"] for one in json.loads(done.stdout)} == {"anycast"}


@pytest.mark.parametrize(
    ("argument", "hint"),
    [
        ("berlin.json", "write 'berlin.json' as PLACE=FILE, as in aws:eu-central-1=berlin.json."),
        ("aws:eu-central-1=", "as PLACE=FILE"),
        ("=berlin.json", "as PLACE=FILE"),
        ("aws:eu-cntral-1=berlin.json", "did you mean aws:eu-central-1"),
        ("91,0=berlin.json", "write '91,0' as latitude,longitude in degrees, as in 35.7,139.7."),
        ("1,2,3=berlin.json", "as latitude,longitude in degrees"),
        ("north,0=berlin.json", "as latitude,longitude in degrees"),
    ],
)
def test_an_argument_without_a_place_is_a_usage_error(argument: str, hint: str) -> None:
    done = judged(argument)

    assert (done.exit_code, done.stdout) == (2, "")
    assert hint in done.stderr


@pytest.mark.parametrize("arguments", [[], ["--json"], ["--jsno", "1,2=x"], ["-x"]], ids=str)
def test_what_is_no_use_is_a_usage_error(arguments: list[str]) -> None:
    assert judged(*arguments).exit_code == 2


@pytest.mark.parametrize("before", [[], ["--"], ["--json"]], ids=str)
def test_a_place_south_of_the_equator_is_no_option(before: list[str], tmp_path: Path) -> None:
    home = tmp_path / "home-hjson.json"
    home.write_text(json.dumps([row("eu", 280)]), encoding="utf-8")

    done = judged(*before, f"-33.9,151.2={home}", f"-36.8,174.8={home}")

    assert done.exit_code == 0
    assert "in 280 ms in -33.9,151.2" in done.stdout


@pytest.mark.parametrize(
    "content",
    [
        "endpoints: []",
        "{}",
        "[1]",
        '["name"]',
        "[[]]",
        '[{"name": "a"}]',
        '[{"name": "a", "region": null, "location": null, "rtt_ms": "fast"}]',
        '[{"name": "a", "region": null, "location": null, "rtt_ms": NaN}]',
        '[{"name": "a", "region": null, "location": null, "rtt_ms": -1}]',
        '[{"name": "a", "region": null, "location": [1], "rtt_ms": 1}]',
        '[{"name": "a", "region": null, "location": [91, 0], "rtt_ms": 1}]',
        '[{"name": "a", "region": 5, "location": ["1", "2"], "rtt_ms": 1}]',
        "[" * 100_000,
    ],
    ids=range(13),
)
def test_a_file_of_another_kind_is_one_sentence(content: str, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(content, encoding="utf-8")

    done = judged(f"1,2={file}")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"{file}: it is not what `router probe FILE --json` prints\n"


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    done = judged(f"1,2={tmp_path}/none.json")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"the file {tmp_path}/none.json cannot be read (No such file")
    assert done.stderr.count("\n") == 1


def test_help_is_short_and_has_an_example() -> None:
    done = judged("--help")

    assert done.exit_code == 0
    assert "Example: router vantage " in done.stdout
    assert len(done.stdout.splitlines()) < 25
