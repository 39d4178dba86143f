"""`router token`: what is told of tokens and of token servers, and that no token is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cli_runs import run, written

from router.testing import TokenServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

ENDPOINTS = """\
endpoints:
- {name: eu, url: 'https://eu.example', scope: eu}
- {name: us, url: 'https://us.example', audience: 'https://us.example', scope: us}
- {name: too, url: 'https://too.example', scope: eu}
"""


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer(client_secret="planted-secret") as made:
        yield made


def ask(folder: Path, url: str, *options: str) -> Result:
    token = f"token: {{url: {url}, client_id: demo, client_secret: planted-secret, timeout: 2s}}\n"
    return run("token", written(folder, ENDPOINTS + token), *options)


def test_each_audience_and_scope_is_a_row_and_each_server_too(
    tmp_path: Path, server: TokenServer
) -> None:
    done = ask(tmp_path, f"'{server.url}?key=planted-query'")
    assert (done.exit_code, done.stderr) == (0, "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["grant", "client_credentials"]
    assert lines[2] == ["audience", "scope", "kind", "expires", "in", "renewed", "in"]
    assert [row[:3] for row in lines[3:5]] == [
        ["-", "eu", "Bearer"],
        ["https://us.example", "us", "Bearer"],
    ]
    assert lines[-1] == [server.url, "well"]
    assert server.requests == 2
    assert "planted" not in done.output
    assert not any(token in done.output for token in server._valid)


def test_json_says_the_same_in_seconds(tmp_path: Path, server: TokenServer) -> None:
    server.lifetime = 600
    done = ask(tmp_path, server.url, "--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 0
    assert [row["kind"] for row in told["tokens"]] == ["Bearer", "Bearer"]
    for row in told["tokens"]:
        assert 590 < row["expires_in_s"] <= 600
        assert 520 < row["renewed_in_s"] <= 540
    assert told["servers"] == [
        {"url": server.url, "failures": 0, "failure": None, "retry_in_s": 0.0}
    ]


def test_a_token_that_cannot_be_had_is_exit_code_1_with_the_reason(
    tmp_path: Path, server: TokenServer
) -> None:
    server.stop()
    done = ask(tmp_path, server.url)
    assert done.exit_code == 1
    assert "refuses connections" in done.stdout
    assert "left alone for" in done.stdout
    assert "planted" not in done.output


def test_one_refused_scope_is_exit_code_1_and_the_other_token_is_told(
    tmp_path: Path, server: TokenServer
) -> None:
    server.scopes = frozenset({"eu"})
    done = ask(tmp_path, server.url, "--json")
    assert done.exit_code == 1
    eu, us = json.loads(done.stdout)["tokens"]
    assert (eu["kind"], eu["failure"]) == ("Bearer", None)
    assert us["kind"] is None
    assert us["failure"].endswith("answered 400 (invalid_scope)")


def test_a_server_that_says_nothing_is_waited_for_no_longer_than_said(
    tmp_path: Path, server: TokenServer
) -> None:
    server.delay = 60
    done = ask(tmp_path, server.url, "--timeout", "200ms", "--json")
    assert done.exit_code == 1
    assert {row["failure"] for row in json.loads(done.stdout)["tokens"]} == {"still under way"}


def test_a_static_key_never_expires(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("planted-key")
    token = f"token: {{grant: static, file: {key}}}\n"
    done = run("token", written(tmp_path, ENDPOINTS + token))
    assert done.exit_code == 0
    assert "static key" in done.stdout
    assert "never" in done.stdout
    assert str(key) in done.stdout
    assert "planted" not in done.output


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("", "token: there is no such section"),
        ("token: {grant: callable}\n", "token: its tokens come from Router(token=…)"),
    ],
)
def test_what_cannot_be_asked_here_is_said(tmp_path: Path, token: str, words: str) -> None:
    done = run("token", written(tmp_path, ENDPOINTS + token))
    assert (done.exit_code, done.stdout) == (1, "")
    assert words in done.stderr


def test_a_file_whose_tokens_come_from_code_serves_the_other_commands(tmp_path: Path) -> None:
    file = written(tmp_path, ENDPOINTS + "token: {grant: callable}\n")
    assert run("check", file).exit_code == 0
    assert run("rank", file).exit_code == 0
