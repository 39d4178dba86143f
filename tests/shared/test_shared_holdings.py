"""`router limits --fleet`: who is there and holds what, as a real Redis has it; never a secret."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from redis_server import free_port, redis_server
from sharing_bench import bench, spend_for, until, workers

from router.cli.commands import commands
from router.units import parse_rate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result
    from redis_server import RedisServer

    from router.shared.rate import SharedRate

PASSWORD = "planted-password"
PERMITS = "router:v1:{permits:main}"
ENDS, HELD, HUNGRY = f"{PERMITS}:ends", f"{PERMITS}:held", f"{PERMITS}:hungry"
THERE = "router:v1:{members}:there"
LEASE = 2.0
LIMITS = """
version: 1
endpoints: [https://eu.example.com]
limits:
  concurrency: 8
  rate: [100/s, {of: tokens, rate: 6000/minute, burst: 600}]
share: {url: 'URL', key: planted-key, lease: 2s}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as running:
        running.cli("acl", "setuser", "router", "on", f">{PASSWORD}", "~router:*", "-@all")
        rights = ["+@read", "+@write", "+eval", "+evalsha", "+time", "+client", "+hello"]
        running.cli("acl", "setuser", "router", *rights)
        yield running


def in_a_minute() -> str:
    return str(int(time.time() + 60) * 1_000_000)


def url_of(port: int) -> str:
    return f"redis://router:{PASSWORD}@127.0.0.1:{port}/0"


def asked(folder: Path, url: str, *more: str) -> Result:
    file = folder / "routes.yaml"
    file.write_text(LIMITS.replace("URL", url))
    done = CliRunner(env={"COLUMNS": None}).invoke(commands, ["limits", str(file), *more])
    assert "planted" not in done.output
    return done


def told(folder: Path, url: str) -> dict[str, Any]:
    done = asked(folder, url, "--fleet", "--json")
    assert done.exit_code == 0, done.output
    fleet: dict[str, Any] = json.loads(done.stdout)["fleet"]
    return fleet


def test_nobody_is_there(server: RedisServer, tmp_path: Path) -> None:
    assert told(tmp_path, url_of(server.port)) == {"members": [], "held": [], "unread": []}
    assert "0 processes in the fleet." in asked(tmp_path, url_of(server.port), "--fleet").stdout


def test_who_holds_what_and_for_how_long(server: RedisServer, tmp_path: Path) -> None:
    url = url_of(server.port)
    job = {"job": "permits", "url": url, "most": 8, "hold": 5, "lease": LEASE}
    with workers({}, **job) as (holder,), bench(url, lease=LEASE) as made:
        rates = [
            made.sharing.rate(parse_rate("100/s"), 10, name="0.requests"),
            made.sharing.rate(parse_rate("6000/minute"), 600, name="1.tokens"),
        ]
        made.start()
        me = made.sharing.member.name
        with spending(rates):
            until(lambda: len(told(tmp_path, url)["members"]) == 2)
            rows = until_held(tmp_path, url, {"under way", "requests", "tokens"})
        slots = next(row for row in rows if row["of"] == "under way")
        assert slots["process"].split(":")[1] == str(holder.process.pid)
        assert 5 <= slots["amount"] <= 8
        assert 0 < slots["left_s"] <= LEASE
        for row in rows:
            if row is not slots:
                assert row["process"] == me
                assert row["amount"] >= 1
                assert 0 < row["left_s"] < 1.0
        table = asked(tmp_path, url, "--fleet").stdout
        assert "2 processes in the fleet." in table
        assert any(str(os.getpid()) in line and "is there" in line for line in table.splitlines())


def test_who_was_killed_is_gone_after_the_lease(server: RedisServer, tmp_path: Path) -> None:
    url = url_of(server.port)
    job = {"job": "permits", "url": url, "most": 8, "hold": 8, "lease": LEASE}
    with workers({}, **job) as (holder,):
        until(lambda: told(tmp_path, url)["held"])
        holder.process.kill()
        assert until(lambda: not any(told(tmp_path, url).values())) < LEASE + 0.5


def test_who_asks_for_more_than_there_is_is_shown(server: RedisServer, tmp_path: Path) -> None:
    url = url_of(server.port)
    job = {"job": "permits", "url": url, "most": 8, "hold": 8, "lease": LEASE}
    with workers({}, **job), bench(url, lease=LEASE) as made:
        permits = made.sharing.permits(8)
        made.start()

        def shown() -> bool:
            permits.take(time.monotonic())
            rows = told(tmp_path, url)["held"]
            return any(row["waits"] and row["process"] == made.sharing.member.name for row in rows)

        until(shown)
        until(lambda: permits.take(time.monotonic()) and _asks(asked(tmp_path, url, "--fleet")))


def _asks(done: Result) -> bool:
    return "asks for more" in done.stdout


def test_names_that_others_wrote_are_shown_harmless(server: RedisServer, tmp_path: Path) -> None:
    server.cli("zadd", THERE, in_a_minute(), "evil\x1b[31m name\nsecond")
    fleet = told(tmp_path, url_of(server.port))
    assert [member["process"] for member in fleet["members"]] == ["evil__31m_name_second"]
    assert fleet["held"] == fleet["unread"] == []


@pytest.mark.parametrize(
    ("key", "poison", "shown"),
    [
        (ENDS, ("set", ENDS, "planted"), []),
        (ENDS, ("zadd", ENDS, "inf", "x"), [(3, False)]),
        (HELD, ("set", HELD, "planted"), [(None, True)]),
        (HELD, ("hset", HELD, "x", "planted"), [(None, True)]),
        (HELD, ("hset", HELD, "x", "nan"), [(None, True)]),
        (HELD, ("hset", HELD, "x", "-77777"), [(None, True)]),
        (HELD, ("hset", HELD, "x", "7" * 400), [(None, True)]),
        (HUNGRY, ("set", HUNGRY, "planted"), [(3, True)]),
        (THERE, ("set", THERE, "planted"), [(3, True)]),
    ],
)
def test_a_key_that_holds_what_is_not_ours_is_named_and_all_else_is_shown(
    server: RedisServer,
    tmp_path: Path,
    key: str,
    poison: tuple[str, ...],
    shown: list[tuple[float | None, bool]],
) -> None:
    """`shown`: of the permits, how many, and whether it is known for how long."""
    for part in (PERMITS, PERMITS.replace("permits:main", "rate:0.requests")):
        server.cli("zadd", f"{part}:ends", in_a_minute(), "x")
        server.cli("hset", f"{part}:held", "x", "3")
    server.cli(*poison)
    fleet = told(tmp_path, url_of(server.port))
    assert fleet["unread"] == [key]
    rows = {
        of: [(row["amount"], row["left_s"] is not None) for row in fleet["held"] if row["of"] == of]
        for of in ("under way", "requests")
    }
    assert rows == {"under way": shown, "requests": [(3, True)]}
    table = asked(tmp_path, url_of(server.port), "--fleet")
    assert table.exit_code == 0
    assert table.stdout.splitlines()[-1] == f"Not read, for its value is not ours: {key}."
    assert "777" not in table.stdout


def test_a_store_that_cannot_be_asked_is_one_sentence(server: RedisServer, tmp_path: Path) -> None:
    for url in (f"redis://:planted@127.0.0.1:{free_port()}", url_of(server.port) + "?protocol=3"):
        server.cli("acl", "setuser", "router", "resetpass")
        done = asked(tmp_path, url, "--fleet")
        assert done.exit_code == 1
        assert done.stderr.startswith("share: the store fails: ")
        assert done.stderr.count("\n") == 1


def test_without_a_shared_limit_there_is_no_fleet(tmp_path: Path) -> None:
    file = tmp_path / "routes.yaml"
    file.write_text("endpoints: [https://eu.example.com]\n")
    done = CliRunner().invoke(commands, ["limits", str(file), "--fleet"])
    assert done.exit_code == 2
    assert "nothing is shared" in done.stderr


@contextlib.contextmanager
def spending(rates: list[SharedRate]) -> Iterator[None]:
    """Spend all that is given, in threads, and so have more leased."""
    done = threading.Event()

    def spend(rate: SharedRate) -> None:
        while not done.is_set():
            spend_for(rate, 0.1)

    threads = [threading.Thread(target=spend, args=(rate,)) for rate in rates]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def until_held(folder: Path, url: str, whats: set[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def all_there() -> bool:
        found[:] = told(folder, url)["held"]
        return {row["of"] for row in found} == whats

    until(all_there)
    return found
