"""A file to a Config: what is good loads, and what is wrong is told in one go with its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from router.config import (
    Backoff,
    ClockSettings,
    Config,
    Failover,
    GeoSettings,
    Hedge,
    Limits,
    Probe,
    TokenSettings,
    load,
    loads,
)
from router.config.problems import MOST_PROBLEMS
from router.endpoint import Endpoint, Location
from router.errors import ConfigError
from router.options import NO_OPTIONS, Options
from router.secret import Secret
from router.units import Rate

if TYPE_CHECKING:
    from collections.abc import Mapping

DESIGN = """\
version: 1
geo:
  database: /var/lib/GeoIP/GeoLite2-City.mmdb
  here: aws:eu-central-1
clock:    {servers: [time.cloudflare.com, "ntp.example.net:1123"], max_error: 500ms, header: X-Timestamp, format: unix_ms, when_unsure: warn}
token:    {grant: client_credentials, url: https://auth.example.com/oauth2/token, client_id: "${CLIENT_ID}", client_secret: "${CLIENT_SECRET}", refresh_before: 60s}
limits:   {concurrency: 5, rate: 20/minute, share: redis://127.0.0.1:6379}
probe:    {path: /healthz, every: 10s, timeout: 2s}
failover: {attempts: 5, repeat: rejected, backoff: {base: 1s, cap: 30s}, attempt_timeout: 10s, deadline: 30s, hedge: {after: p95, at_most: 5%}}
endpoints:
  - {name: us-east, url: https://us-east.api.example.com/v1, region: aws:us-east-1, tier: 1, tags: [us]}
  - {name: frankfurt, url: https://eu.api.example.com/v1, location: [50.1, 8.7], tier: 1, tags: [eu]}
  - {name: local-model, url: http://127.0.0.1:8000/v1, tier: 9}
"""  # noqa: E501 - as a user writes it


def problems(text: str | bytes, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as raised:
        loads(text, environ=environ or {})
    return raised.value.problems


@pytest.mark.parametrize("version", ["version: 1\n", ""])
def test_the_two_line_file_is_a_whole_configuration(version: str) -> None:
    config = loads(version + "endpoints: [https://a.example, https://b.example]")
    assert config == Config(
        endpoints=(Endpoint(url="https://a.example"), Endpoint(url="https://b.example"))
    )


def test_the_whole_schema_loads_into_the_settings() -> None:
    environ = {"CLIENT_ID": "me", "CLIENT_SECRET": "hunter2"}
    assert loads(DESIGN, environ=environ) == Config(
        geo=GeoSettings(
            database=Path("/var/lib/GeoIP/GeoLite2-City.mmdb"), here="aws:eu-central-1"
        ),
        clock=ClockSettings(
            servers=("time.cloudflare.com", "ntp.example.net:1123"), header="X-Timestamp"
        ),
        token=TokenSettings(
            url="https://auth.example.com/oauth2/token",
            client_id="me",
            client_secret=Secret("hunter2"),
        ),
        limits=Limits(concurrency=5, rate=Rate(20, 60), share=Secret("redis://127.0.0.1:6379")),
        probe=Probe(path="/healthz"),
        failover=Failover(backoff=Backoff(), hedge=Hedge()),
        endpoints=(
            Endpoint(
                name="us-east",
                url="https://us-east.api.example.com/v1",
                region="aws:us-east-1",
                tags=("us",),
            ),
            Endpoint(
                name="frankfurt",
                url="https://eu.api.example.com/v1",
                location=Location(50.1, 8.7),
                tags=("eu",),
            ),
            Endpoint(name="local-model", url="http://127.0.0.1:8000/v1", tier=9),
        ),
    )


ONE = "endpoints: [https://a.example]\n"
REQUIRED = "where the API is served: at least one URL, or keys for each"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("endpoints:\n- url: https://a.example\n  tags: [NO, on]", ("NO", "on")),
        ("endpoints:\n- url: https://a.example\n  tags: ['1', \"true\"]", ("1", "true")),
        ("endpoints:\n- url: https://a.example\n  tags: [a$b, $$, '$${X}']", ("a$b", "$", "${X}")),
        ("endpoints:\n- url: https://a.example\n  tags: ['${X}', '${Y}']", ("5", "- a: [")),
        ("endpoints:\n- url: https://a.example\n  tags: ['${Z:-9}${X}', '${E:-e}']", ("95", "e")),
        ("endpoints:\n- &a {url: https://a.example, tags: [x]}\n- {<<: *a, name: b}", ("x",)),
    ],
)
def test_words_stay_words_and_variables_fill_them(text: str, expected: tuple[str, ...]) -> None:
    environ = {"X": "5", "Y": "- a: [", "E": ""}
    assert loads(text, environ=environ).endpoints[-1].tags == expected


def test_an_unquoted_variable_may_be_a_number_or_nothing() -> None:
    text = ONE + "limits:\n  concurrency: ${N}\n  burst: ${NOTHING}\n  queue: ${Q:-0x10}\n"
    limits = loads(text, environ={"N": "5", "NOTHING": ""}).limits
    assert (limits.concurrency, limits.burst, limits.queue) == (5, None, 16)


def test_what_a_variable_holds_is_not_searched_for_variables() -> None:
    text = "endpoints:\n- {url: https://a.example, tags: ['${X}']}"
    assert loads(text, environ={"X": "${Y}$$"}).endpoints[0].tags == ("${Y}$$",)


def test_a_variable_that_is_not_unicode_is_refused_where_words_are_listed() -> None:
    [problem] = problems(ONE + "probe: {method: '${M}'}", {"M": "\udcff"})
    sentence = "this value has another form than its key takes"
    assert problem == f"routes.yaml:2:17: probe.method: {sentence}"


def test_a_key_is_never_replaced() -> None:
    [problem] = problems(ONE + '"${X}": 1', {"X": "probe"})
    assert problem.startswith("routes.yaml:2:1: unknown key")


def test_a_key_without_a_value_counts_as_left_out() -> None:
    text = ONE + "geo:\nclock:\ntoken: ~\nlimits:\nprobe: {every: }\nfailover: {backoff: null}"
    assert loads(text) == loads(ONE)


@pytest.mark.parametrize(
    ("here", "expected"),
    [
        ("aws:us-east-1", "aws:us-east-1"),
        ("192.0.2.1", "192.0.2.1"),
        ("{ip: '2001:DB8::1'}", "2001:db8::1"),
        ("[50, 8.7]", Location(50, 8.7)),
    ],
)
def test_a_host_says_where_it_is_in_four_ways(here: str, expected: object) -> None:
    assert loads(f"{ONE}geo: {{here: {here}}}").geo.here == expected


def test_where_allow_is_left_out_every_endpoint_may_serve() -> None:
    assert loads(ONE).allow.options() is NO_OPTIONS
    assert loads(f"{ONE}allow: {{tiers: 1}}").allow.options() == Options(tiers=1)


def mistakes() -> list[tuple[str, list[str]]]:
    """Return the blocks of mistakes.txt: a file's text, and what is said about it."""
    blocks = Path(__file__).with_name("mistakes.txt").read_text().split("\n\n")[1:]
    told = [block.strip("\n").split("\n=> ") for block in blocks]
    return [(text, sentences) for text, *sentences in told]


@pytest.mark.parametrize(
    ("text", "told"), [("", ["1:1: endpoints: is required: " + REQUIRED]), *mistakes()]
)
def test_each_mistake_is_told_in_a_sentence_at_its_place(text: str, told: list[str]) -> None:
    assert problems(text) == tuple(f"routes.yaml:{sentence}" for sentence in told)


def test_all_mistakes_are_told_in_one_go_in_the_order_of_the_file() -> None:
    text = """\
failover: {attempts: 0, backoff: {base: 1}}
limits:
  concurency: 5
  rate: ${RATE}
token: {url: https://b.example, client_id: x, scope: [a], timeout: 0s}
probe: {every: 1s, every: -1s}
endpoints:
  - {name: a, url: https://a.example, tier: x}
  - {name: a, url: "https://u:p@b.example", wieght: 3}
  - {name: a, url: https://c.example, region: aws:us-easst-1}
"""
    where = [line.split(": ")[0:2] for line in problems(text)]
    assert where == [
        ["routes.yaml:1:22", "failover.attempts"],
        ["routes.yaml:1:41", "failover.backoff.base"],
        ["routes.yaml:3:3", "limits.concurency"],
        ["routes.yaml:4:9", "limits.rate"],
        ["routes.yaml:5:8", "token.client_secret"],
        ["routes.yaml:5:54", "token.scope"],
        ["routes.yaml:5:68", "token.timeout"],
        ["routes.yaml:6:20", "probe.every"],
        ["routes.yaml:8:45", "endpoints.0.tier"],
        ["routes.yaml:9:12", "endpoints.1.name"],
        ["routes.yaml:9:20", "endpoints.1.url"],
        ["routes.yaml:9:45", "endpoints.1.wieght"],
        ["routes.yaml:10:12", "endpoints.2.name"],
        ["routes.yaml:10:47", "endpoints.2.region"],
    ]


def test_a_mistake_in_an_aliased_mapping_is_told_once_where_it_was_written() -> None:
    text = "endpoints:\n- &a {url: https://a.example, teir: 1}\n- {<<: *a, name: b}\n"
    [problem] = problems(text)
    assert problem == "routes.yaml:2:31: endpoints.0.teir: unknown key: did you mean tier?"


def test_very_many_mistakes_are_counted_rather_than_told() -> None:
    text = "endpoints:\n" + "- {url: https://a.example, x: 1}\n" * (MOST_PROBLEMS + 50)
    found = problems(text)
    assert len(found) == MOST_PROBLEMS + 1
    assert found[-1] == f"routes.yaml: and {50 + MOST_PROBLEMS + 49} more problems"


def test_a_file_is_read_under_its_own_name(tmp_path: Path) -> None:
    path = tmp_path / "my-routes.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + ONE.encode())
    assert load(path) == load(str(path)) == loads(ONE)
    path.write_text("endpoints: [x]")
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert str(raised.value).startswith(f"{path}:1:13: endpoints.0.url: ")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("missing.yaml", None, "cannot be read (No such file or directory): check its path"),
        (".", None, "cannot be read (Is a directory): check its path"),
        ("a\0b", None, "cannot be read (the path is not valid): check its path"),
        ("big.yaml", b"#" * (4 * 2**20 + 1), "is larger than 4194304 bytes"),
        ("latin.yaml", b"# f\xfcr\nendpoints: []", "1:4: this is not UTF-8: save the file as"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, name: str, content: bytes | None, sentence: str
) -> None:
    path = f"{tmp_path}/{name}"
    if content is not None:
        Path(path).write_bytes(content)
    with pytest.raises(ConfigError) as raised:
        load(path)
    [problem] = raised.value.problems
    assert problem.startswith(path)
    assert sentence in problem
    assert raised.value.__context__ is None


def test_importing_the_configuration_loads_neither_pydantic_nor_yaml() -> None:
    code = "import sys, router.config; print(*{'pydantic', 'yaml'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == ""
