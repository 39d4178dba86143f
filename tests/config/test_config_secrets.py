"""Secrets come from variables and files, and leave in no error, whatever is wrong with the file."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from router.config import Config, load, loads
from router.errors import ConfigError
from router.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "endpoints: [https://a.example]\n"
TOKEN = HEAD + "token: {url: https://b.example/token, client_id: me, client_secret: %s}"
PLANTED = "hunter2"


@pytest.mark.parametrize(
    "written",
    [
        '"${PASSWORD}"',
        "'${MISSING:-s3cret}'",
        "{env: PASSWORD}",
        "{env: '${WHICH}'}",
        "{file: '${FOLDER}/secret'}",
        "{file: '${FOLDER}/secret-with-newline'}",
        "{file: '${FOLDER}/secret-from-windows'}",
        "s3cret",
    ],
)
def test_a_secret_is_read_from_where_it_is_kept(tmp_path: Path, written: str) -> None:
    (tmp_path / "secret").write_bytes(b"s3cret")
    (tmp_path / "secret-with-newline").write_bytes(b"s3cret\n")
    (tmp_path / "secret-from-windows").write_bytes(b"s3cret\r\n")
    environ = {"PASSWORD": "s3cret", "WHICH": "PASSWORD", "FOLDER": str(tmp_path)}
    token = loads(TOKEN % written, environ=environ).token
    assert token is not None
    assert token.client_secret == Secret("s3cret")


@pytest.mark.parametrize("text", ["12345", "true", "1e5", "0x1F", "NO"])
def test_a_secret_that_looks_like_a_number_stays_as_it_is_written(text: str) -> None:
    for written in (text, "${P}"):
        limits = loads(f"{HEAD}limits:\n  share: {written}\n", environ={"P": text}).limits
        assert limits.share == Secret(text)


def test_what_a_secrets_variable_holds_is_taken_as_it_is() -> None:
    token = loads(TOKEN % "{env: P}", environ={"P": "a$$b${C}"}).token
    assert token is not None
    assert token.client_secret == Secret("a$$b${C}")


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("{env: PASSWORD}", "the environment variable PASSWORD is not set: set it, or use {file:"),
        ("{file: /no/such/file}", "the file /no/such/file cannot be read (No such file or direc"),
        ("{file: /}", "/ is not a file: name one that holds nothing but the secret"),
        ("{file: /dev/zero}", "/dev/zero is not a file: name one that holds nothing but"),
        ("{file: '%s/large'}", "the file %s/large is larger than 65536 bytes"),
        ("{file: '%s/binary'}", "the file %s/binary is not UTF-8 text"),
        ("{file: '%s/empty'}", "this secret is empty, or not one line of printable text"),
        ("{file: '%s/lines'}", "this secret is empty, or not one line of printable text"),
        ("''", "this secret is empty, or not one line of printable text"),
        ("'${EMPTY}'", "this secret is empty, or not one line of printable text"),
        ("{}", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("{env: A, file: b}", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("{env: A, env: B}", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("{environ: A}", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("{env: }", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("{env: [A]}", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
        ("[A]", 'write a secret as "${NAME}", {env: NAME} or {file: /path}'),
    ],
)
def test_a_secret_that_cannot_be_had_is_one_problem_that_names_its_key(
    tmp_path: Path, written: str, sentence: str
) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    (tmp_path / "empty").write_bytes(b"\n")
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    (tmp_path / "lines").write_bytes(b"a\nb\n")
    text = TOKEN % written.replace("%s", str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        loads(text, environ={"EMPTY": ""})
    [problem] = raised.value.problems
    start = "routes.yaml:2:69: token.client_secret: "
    assert problem.startswith(start + sentence.replace("%s", str(tmp_path)))


def whole_text(error: BaseException | None) -> str:
    """Return all that a log of the error, and of whatever is chained to it, could show."""
    if error is None:
        return ""
    shown = "".join(traceback.format_exception(error, chain=True))
    chained = whole_text(error.__cause__) + whole_text(error.__context__)
    return shown + repr(error) + str(error) + repr(vars(error)) + chained


@pytest.mark.parametrize(
    "text",
    [
        # syntax
        "token: {client_secret: hunter2",
        "token:\n  client_secret: hunter2: x",
        "token:\n  client_secret: 'hunter2\n",
        "token:\n\tclient_secret: hunter2",
        "token: *hunter2",
        "token: !hunter2 x",
        "%hunter2\n---\n- %",
        "client_secret:hunter2",
        "- hunter2",
        "hunter2",
        "hunter2: 1\x00",
        "? [hunter2]\n: 1",
        "a: 1\n--- hunter2",
        # a value in place of a key, a key in place of a section
        HEAD + "token: {hunter2}",
        HEAD + "token: {hunter: }",
        HEAD + "token: {client_secret:hunter2}",
        HEAD + "token: {hunter2: x}",
        HEAD + "token: {hunter2, hunter2}",
        HEAD + "hunter2:",
        HEAD + "token: hunter2",
        HEAD + "token: [hunter2]",
        "endpoints: hunter2",
        "endpoints: {hunter2: hunter2}",
        TOKEN % "{hunter2: x}",
        TOKEN % "{hunter2}",
        TOKEN % "[hunter2]",
        TOKEN % "{env: hunter2, env: hunter2}",
        # wrong values
        TOKEN % "hunter2, grant: hunter2",
        TOKEN % "hunter2, grant: refresh_token",
        TOKEN % "hunter2, scope: [hunter2]",
        TOKEN % "hunter2, auth: hunter2, refresh_before: hunter2",
        TOKEN % "hunter2, client_secret: hunter2",
        TOKEN % '"hunter2\\n"',
        TOKEN % "'${hunter2 }'",
        TOKEN % "'hunter2${'",
        TOKEN % "'${PASSWORD}', timeout: '${PASSWORD}'",
        TOKEN % "{file: '${FOLDER}/secret'}",
        HEAD + "limits: {share: 'redis://:hunter2@a', rate: hunter2, concurrency: hunter2}",
        HEAD + "clock: {header: 'hunter2: x', format: hunter2, servers: hunter2}",
        HEAD + "geo: {here: 'hunter2', database: [hunter2]}",
        HEAD + "geo: {here: {hunter2: '${X}'}}",
        HEAD + "probe: {enabled: hunter2, method: hunter2, path: hunter2}",
        HEAD + "version: hunter2",
        HEAD + "failover: {hedge: {after: hunter2}, repeat: hunter2}",
        "endpoints: ['https://me:hunter2@a.example', 'https://[hunter2', 'https://a:hunter2']",
        "endpoints: ['https://a.example?hunter2', 'hunter2', {url: hunter2, region: hunter2}]",
        "endpoints: [{url: https://a.example, region: 'aws:hunter2', weight: hunter2}]",
        "endpoints: [{url: https://a.example, name: hunter2}, {url: https://b, name: hunter2}]",
        "endpoints: [{url: https://a.example, location: [hunter2, 1], tags: hunter2}]",
    ],
)
def test_an_error_holds_nothing_of_the_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{PLANTED}\n{PLANTED}")
    environ = {"PASSWORD": PLANTED, "FOLDER": str(tmp_path)}
    path = tmp_path / "routes.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load(path, environ=environ)
    assert PLANTED not in whole_text(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_the_check_for_secrets_sees_a_chained_error() -> None:
    """Guard the guard: what `from None` hides is still found."""
    quiet = ConfigError("quiet")
    quiet.__context__ = ValueError(PLANTED)
    quiet.__suppress_context__ = True
    assert PLANTED in whole_text(quiet)


def test_a_loaded_configuration_shows_no_secret() -> None:
    config = loads(TOKEN % PLANTED + f"\nlimits: {{share: 'redis://:{PLANTED}@127.0.0.1'}}")
    assert isinstance(config, Config)
    assert PLANTED not in f"{config} {config!r} {config.token} {config.limits!r}"
