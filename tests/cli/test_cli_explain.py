"""`router explain` against loopback regions: where a request would go, against whom, and why."""

from __future__ import annotations

import io
import json
import re
from typing import TYPE_CHECKING

import pytest
from cli_runs import routes_of, run, written
from rich.console import Console

from router.cli.explanation import Explanation
from router.cli.rows import rows_of
from router.options import NO_OPTIONS
from router.router import Router

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

DEAD = "- {name: dead, url: 'http://127.0.0.1:9'}"
PLACES = {"near": "aws:eu-central-1", "middle": "aws:us-east-1", "far": "aws:ap-northeast-1"}
SENTENCE = (
    r"The request would go to near: \d+ ms expected, the least of 3; next is middle with \d+ ms"
)
FIGURES = ["distance_km", "prior_ms", "rtt_ms", "spread_ms", "service_ms", "queue_ms"]


def placed(regions: Regions, folder: Path, *more: str, base: str = "") -> Path:
    """Write a file in which each region has a place and a tag, and `far` is the second tier."""
    lines = [
        f"- {{name: {name}, url: '{regions[name].url}{base}', region: {place}, "
        f"tags: [{place[4:6]}], tier: {2 if name == 'far' else 1}}}"
        for name, place in PLACES.items()
    ]
    return written(
        folder, "\n".join(["geo: {here: aws:eu-west-2}", "endpoints:", *lines, *more, ""])
    )


def table(output: str) -> dict[str, dict[str, str]]:
    """Return the cells of the table by endpoint and heading; no cell is empty."""
    lines = output.split("\n\n", 1)[1].splitlines()
    headings, *rows = [re.split(" {2,}", line) for line in lines]
    return {row[0]: dict(zip(headings, row, strict=True)) for row in rows}


def test_a_sentence_says_where_the_request_would_go_and_why(
    regions: Regions, tmp_path: Path
) -> None:
    done = run("explain", routes_of(regions, tmp_path), "--path", "/hello?a=b")

    assert (done.exit_code, done.stderr) == (0, "")
    sentence, url, blank, *_ = done.stdout.splitlines()
    assert re.fullmatch(SENTENCE, sentence)
    assert (url, blank) == (f"{regions['near'].url}/hello?a=b", "")


def test_the_request_itself_is_not_sent(regions: Regions, tmp_path: Path) -> None:
    run("explain", routes_of(regions, tmp_path))

    assert regions.received == []
    assert [region.probes for region in regions] == [6, 6, 6]  # each asks twice: cold and warm


def test_the_table_has_all_candidates_in_the_order_of_what_is_expected(
    regions: Regions, tmp_path: Path
) -> None:
    done = run("explain", placed(regions, tmp_path, DEAD), "--tier", "1")

    found = table(done.stdout)
    assert list(found) == ["near", "middle", "dead", "far"]
    near, middle = found["near"], found["middle"]
    assert (near["place"], near["distance"], near["tier"]) == ("aws:eu-central-1", "638 km", "1")
    assert near["prior"] == "20 ms"
    assert re.fullmatch(r"[\d.]+ ± [\d.]+ ms", near["RTT ± sd"])
    assert float(near["expected"].removesuffix(" ms")) >= 5
    assert near["verdict"] == "chosen"
    assert re.fullmatch(r"\d+\.\d ms more", middle["verdict"])
    assert {found["near"]["health"], found["middle"]["health"]} == {"healthy"}


def test_a_dead_region_is_shown_as_such(regions: Regions, tmp_path: Path) -> None:
    regions["near"].kill()

    done = run("explain", placed(regions, tmp_path))

    assert done.exit_code == 0
    dead = table(done.stdout)["near"]
    assert (dead["health"], dead["verdict"]) == ("down", "ejected: connection refused")
    assert {dead["RTT ± sd"], dead["service"], dead["expected"]} == {"-"}
    assert done.stdout.startswith("The request would go to middle: ")


def test_a_higher_tier_is_in_reserve(regions: Regions, tmp_path: Path) -> None:
    done = run("explain", placed(regions, tmp_path))

    assert table(done.stdout)["far"]["verdict"] == "in reserve: tier 2"


def test_json_is_the_decision_and_the_url(regions: Regions, tmp_path: Path) -> None:
    done = run("explain", placed(regions, tmp_path), "--json", "--path", "/x", "--tag", "eu")

    assert (done.exit_code, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["url"], found["endpoint"]) == (f"{regions['near'].url}/x", "near")
    assert found["reason"].startswith("it is the only one that may serve now")
    (candidate,) = found["candidates"]
    assert all(candidate[figure] >= 0 for figure in FIGURES)
    assert found["outside"] == {"middle": "without tag eu", "far": "without tag eu"}


@pytest.mark.parametrize(
    ("constraints", "chosen", "excluded"),
    [
        (["--region", "far"], "far", {"near": "not in region far"}),
        (["--region", "aws:us-east-1", "--region", "far"], "middle", {}),
        (["--tag", "us"], "middle", {"near": "without tag us"}),
        (["--tier", "2"], "far", {"middle": "not in tier 2"}),
        (["--tier", "1", "--tier", "2"], "near", {}),
        (["--deadline", "10s"], "near", {}),
    ],
    ids=" ".join,
)
def test_constraints_are_those_of_a_request(
    constraints: list[str],
    chosen: str,
    excluded: dict[str, str],
    regions: Regions,
    tmp_path: Path,
) -> None:
    found = table(run("explain", placed(regions, tmp_path), *constraints).stdout)

    assert [name for name, row in found.items() if row["verdict"] == "chosen"] == [chosen]
    for name, words in excluded.items():
        assert found[name]["verdict"] == words
        assert (found[name]["health"], found[name]["expected"]) == ("healthy", "-")


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/v1"),
        ("/v1/x", "/v1/x"),
        ("/x", "/v1/x"),
        ("x?y=z#part", "/v1/x?y=z"),
        ("?y", "/v1?y"),
        ("/ü b", "/v1/%C3%BC%20b"),
    ],
)
def test_the_url_is_that_of_a_request_with_this_path(
    path: str, target: str, regions: Regions, tmp_path: Path
) -> None:
    done = run("explain", placed(regions, tmp_path, base="/v1"), "--path", path, "--json")

    assert json.loads(done.stdout)["url"] == regions["near"].url + target


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["--tag", "eux"], "no endpoint has the tag eux: did you mean eu?"),
        (["--region", "eu"], "no endpoint has the region eu: it is a tag"),
        (["--tier", "3"], "no endpoint has the tier 3: known: 1, 2"),
        (["--tag", "eu", "--tier", "2"], "no endpoint satisfies tags eu and tiers 2 together"),
        (["--path", "/v1/../admin"], "the path has a .. segment"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_no_endpoint_may_serve_is_one_sentence_and_no_probe(
    asked: list[str], words: str, regions: Regions, tmp_path: Path
) -> None:
    done = run("explain", placed(regions, tmp_path), *asked)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(words)
    assert done.stderr.count("\n") == 1
    assert [region.probes for region in regions] == [0, 0, 0]


def test_a_deadline_that_nobody_can_keep_is_one_sentence(regions: Regions, tmp_path: Path) -> None:
    done = run("explain", placed(regions, tmp_path), "--deadline", "1us")

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("the nearest endpoint needs ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("more", [[], ["--json"]], ids=["table", "json"])
def test_where_nobody_who_may_serve_answers_the_exit_code_is_1(
    more: list[str], regions: Regions, tmp_path: Path
) -> None:
    done = run("explain", placed(regions, tmp_path, DEAD), "--region", "dead", *more)

    assert done.exit_code == 1
    assert "nobody is well and fresh: it is the least bad" in done.stdout
    assert done.stderr.startswith("No endpoint that may serve the request answered: check")
    if not more:
        found = table(done.stdout)
        assert found["dead"]["verdict"] == "chosen, although it is down: connection refused"
        assert found["near"]["health"] == "healthy"


def test_of_many_endpoints_it_says_how_many_are_not_shown(regions: Regions, tmp_path: Path) -> None:
    lines = [f"- {{name: n{n}, url: '{regions['near'].url}'}}" for n in range(20)]

    done = run("explain", written(tmp_path, "\n".join(["endpoints:", *lines])))

    (left,) = re.findall(r"Not shown: (\d+) more; router probe has all\n$", done.stdout)
    assert len(table(done.stdout.rpartition("\n\n")[0])) == 20 - int(left)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--count", "2"], "2 is not in the range 3<=x<=100"),
        (["--deadline", "3"], "write a duration with its unit"),
        (["--tier", "0"], "0 is not in the range x>=1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str], words: str, tmp_path: Path) -> None:
    done = run("explain", tmp_path / "routes.yaml", *arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


def drawn(router: Router, width: int) -> str:
    paper = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    rows = rows_of(router.outlook())
    paper.print(Explanation(router.explain(), rows, "/v1/x").drawn(paper))
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue()


def test_a_narrow_terminal_has_the_verdicts_under_the_figures(regions: Regions) -> None:
    _, figures, verdicts = drawn(Router(regions.config()), 60).split("\n\n")

    assert figures.split()[:4] == ["endpoint", "distance", "prior", "RTT"]
    assert [line.split() for line in verdicts.splitlines()[:2]] == [
        ["endpoint", "place", "verdict"],
        ["near", "-", "chosen"],
    ]


@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 120, 200])
def test_nothing_is_cut_off_at_any_width(width: int, regions: Regions) -> None:
    text = drawn(Router(regions.config()), width)

    assert max(map(len, text.splitlines())) <= width
    words = text.split()
    for name in ("near", "middle", "far", "endpoint", "expected", "verdict", "chosen", "healthy"):
        assert name in words


def test_figures_that_say_nothing_are_left_out_until_they_do(regions: Regions) -> None:
    router = Router(regions.config())
    assert not {"queue", "flight", "weight", "tier"} & set(drawn(router, 200).split())

    taken = [router.pool.choose(NO_OPTIONS, tried=(), now=router.now()) for _ in range(40)]

    text = drawn(router, 200)
    assert {"queue", "in flight"} <= set(re.split(" {2,}", text.splitlines()[3].strip()))
    for choice in taken:
        choice.give_back()


def test_how_the_endpoint_shapes_the_request_is_told_without_values(
    regions: Regions, tmp_path: Path
) -> None:
    shape = (
        "variables: {project: p1}, headers: {api-key: planted}, query: {key: planted}, "
        "json: {user: planted}, models: {gpt: gpt-eu}, remove: {headers: [X-Debug]}"
    )
    url = regions["near"].url
    file = written(tmp_path, f"endpoints: [{{name: near, url: '{url}', {shape}}}]\n")

    done = run("explain", file, "--path", "/{project}/models/gpt?a=b")

    assert (done.exit_code, done.stderr) == (0, "")
    _, shown, shaped, *_ = done.stdout.splitlines()
    assert shown == f"{url}/p1/models/gpt-eu?a=b&key=..."
    assert shaped == (
        "Shaped there: header api-key set; parameter key set; member user set; "
        "header X-Debug taken out; model gpt is gpt-eu"
    )
    assert "planted" not in done.stdout

    told = json.loads(run("explain", file, "--json").stdout)
    assert told["shaping"] == {
        "variables": {"project": "p1"},
        "headers": ["api-key"],
        "query": ["key"],
        "json": ["user"],
        "models": {"gpt": "gpt-eu"},
        "remove": {"headers": ["X-Debug"]},
    }
