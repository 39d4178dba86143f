"""`router check`: all errors with their place, warnings, and one line when all is well."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from cli_runs import EXAMPLE, run, written

from router.config import schema

if TYPE_CHECKING:
    from pathlib import Path

SECRETS = {"CLIENT_ID": "planted-id", "CLIENT_SECRET": "planted-secret"}
TOKEN = "token: {url: https://auth.example.com/t, client_id: me, client_secret: planted-secret}\n"


def test_the_example_has_no_errors_and_no_warnings() -> None:
    done = run("check", EXAMPLE, env=SECRETS)

    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == f"{EXAMPLE}: 5 endpoints, no errors\n"


def test_the_example_shows_every_key_that_this_release_serves() -> None:
    made, text = schema(), EXAMPLE.read_text(encoding="utf-8")
    sections = [made, *made["$defs"].values()]
    keys = {key for section in sections for key in section.get("properties", {})}

    missing = {key for key in keys if not re.search(rf"\b{key}:", text)}
    assert missing == set()


def test_every_error_stands_on_a_line_of_its_own(tmp_path: Path) -> None:
    text = (
        "endpoints:\n- url: https://a.example\n  wieght: 2\nprobe: {timeout: 2}\nclock: {max: 1s}\n"
    )

    done = run("check", written(tmp_path, text))

    assert (done.exit_code, done.stdout) == (1, "")
    file = tmp_path / "routes.yaml"
    starts = [":3:3: endpoints.0.wieght: ", ":4:18: probe.timeout: ", ":5:9: clock.max: "]
    lines = done.stderr.splitlines()
    assert len(lines) == len(starts)
    for line, start in zip(lines, starts, strict=True):
        assert line.startswith(f"{file}{start}")


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("limits: {share: 'mysql://u:planted-secret@h'}", ["2:17: limits.share: write redis://"]),
        ("tls: {ca: /nowhere/ca.pem}", ["2:11: tls.ca: /nowhere/ca.pem cannot be read as PEM"]),
        (
            "share: {url: 'redis+sentinel://h'}\ntls: {cert: /nowhere/me.pem}",
            ["2:14: share.url: name the service", "3:13: tls.cert"],
        ),
    ],
    ids=["share", "ca", "share and cert"],
)
def test_what_the_start_would_refuse_is_an_error(
    text: str, problems: list[str], tmp_path: Path
) -> None:
    file = written(tmp_path, f"endpoints: [https://a.example]\n{text}")

    done = run("check", file)

    assert (done.exit_code, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert len(lines) == len(problems)
    for line, problem in zip(lines, problems, strict=True):
        assert line.startswith(f"{file}:{problem}")
    assert "planted-secret" not in done.output


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("endpoints: [https://a.example]\ngeo: {database: /nowhere/x.mmdb}", "location database"),
        (TOKEN + "endpoints: [http://a.example]", "endpoints.0.url: the token would travel"),
        (
            TOKEN.replace("https", "http") + "endpoints: [https://a.example]",
            "token.url: the client's secret would travel",
        ),
        (
            TOKEN.replace("client_secret", "grant: refresh_token, refresh_token")
            + "endpoints: [https://a.example]",
            "token.client_secret: none is set",
        ),
    ],
    ids=["database", "endpoint in clear", "token server in clear", "public client"],
)
def test_what_costs_quality_is_a_warning(text: str, warning: str, tmp_path: Path) -> None:
    file = written(tmp_path, text)

    done = run("check", file)

    assert done.exit_code == 0
    assert done.stdout == f"{file}: 1 endpoint, no errors\n"
    assert done.stderr.startswith(f"warning: {warning}")
    assert done.stderr.count("\n") == 1
    assert "planted-secret" not in done.output


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost"])
def test_a_token_may_go_to_this_host_in_clear(url: str, tmp_path: Path) -> None:
    done = run("check", written(tmp_path, f"{TOKEN}endpoints: ['{url}']"))

    assert (done.exit_code, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("endpoints: [https://a.example]", 0, "standard input: 1 endpoint, no errors"),
        ("endpoints: []", 1, "standard input:1:12: endpoints: list at least one"),
    ],
)
def test_a_dash_is_standard_input(text: str, code: int, line: str) -> None:
    done = run("check", "-", input=text)

    assert done.exit_code == code
    assert done.output.startswith(line)


@pytest.mark.parametrize("command", ["check", "rank", "probe"])
def test_a_file_that_is_not_there_is_one_sentence(command: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere.yaml"

    done = run(command, file)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"{file}: the file {file} cannot be read (No such file or directory): "
        "check its path and permissions\n"
    )


@pytest.mark.parametrize("command", ["rank", "probe"])
def test_a_refused_configuration_is_told_with_its_file(command: str, tmp_path: Path) -> None:
    file = written(tmp_path, "endpoints: [https://127.0.0.1:9]\nlimits: {share: 'mysql://h'}")

    done = run(command, file)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{file}:2:17: limits.share: write redis://")


def test_a_certificate_that_is_missing_ends_a_probe_with_one_sentence(tmp_path: Path) -> None:
    file = written(tmp_path, "endpoints: [https://127.0.0.1:9]\ntls: {ca: /nowhere/ca.pem}")

    done = run("probe", file)

    assert (done.exit_code, done.stdout) == (1, "")
    sentence = "tls.ca: /nowhere/ca.pem cannot be read as PEM: check the file"
    assert done.stderr == f"{file}:2:11: {sentence}\n"


def test_an_endpoint_without_the_others_variables_is_warned_of(tmp_path: Path) -> None:
    text = (
        "endpoints:\n- {url: https://a.example, variables: {project: p}}\n- https://b.example\n"
        "- {url: https://c.example, variables: {project: q}}\n"
    )

    done = run("check", written(tmp_path, text))

    assert done.exit_code == 0
    assert done.stderr == (
        "warning: endpoints.1.variables: without project, which others have: "
        "a path that names it is sent as it stands\n"
    )
