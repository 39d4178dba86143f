"""`router clock` against real NTP servers and regions: what is found, and how it reads."""

from __future__ import annotations

import functools
import json
import re
from typing import TYPE_CHECKING

import pytest
from chrony_peer import UNSYNCHRONISED, chronies, chronyd
from cli_runs import run, written
from clock_runs import asking, clocks, deny, found, kernel_says, routes, swallow

from router.clock.kernel import KernelStatus
from router.config import ClockSettings
from router.testing import NtpServer

if TYPE_CHECKING:
    from pathlib import Path

    from router.testing import Regions

SERVERS = ["NTP", "server", "wall", "-", "server", "bound", "delay", "stratum", "verdict"]
LADDER = ["ladder", "wall", "-", "UTC", "bound", "standing", "why"]


@pytest.fixture(autouse=True)
def no_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a kernel that says nothing, as this machine's own may keep its clock or not."""
    kernel_says(monkeypatch, None)


# -- what it tells people


@pytest.mark.alone
def test_a_slow_clock_is_told_in_one_sentence_and_in_figures() -> None:
    with clocks(1.302, 1.302, 1.302, 1.302, -2.0) as servers:
        done = run("clock", *asking(*servers))

    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    sentence = r"This machine's clock is 1\.30\d s slow \(± [\d.]+ ms\), by 4 of 5 NTP servers\."
    assert re.fullmatch(sentence, lines[0])
    assert re.fullmatch(
        r"The router's stamps are right to within [\d.]+ ms \(synchronised\)\.", lines[1]
    )
    assert lines[3].split() == [*SERVERS, "why"]
    for line, server in zip(lines[4:8], servers, strict=False):
        assert re.fullmatch(rf"{server} +-1\.30\d s +± [\d.]+ ms +[\d.]+ ms +2  used", line)
    assert re.fullmatch(
        rf"{servers[4]} +\+[12]\.\d+ s .* falseticker  .*majority.*",
        lines[8],
    )
    assert lines[10].split() == LADDER
    rungs = {line.split()[0]: line for line in lines[11:]}
    assert re.fullmatch(r"ntp +-1\.30\d s  ± [\d.]+ ms  serves +4 of 5 servers agree", rungs["ntp"])
    assert rungs["kernel"].endswith("the system does not tell")
    assert rungs["http"].endswith("no endpoints were asked")
    assert rungs["wall"].endswith("the last resort: nobody vouches for it")
    assert len(lines) == 15


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (1.302, r"1\.30\d s slow \(± [\d.]+ ms\), by 1 of 1 NTP server\."),
        (-0.25, r"2(49|5\d) ms fast \(± [\d.]+ ms\), by 1 of 1 NTP server\."),
        (3 * 3600, r"3 h 00 min 00 s slow \(± [\d.]+ ms\), by 1 of 1 NTP server\."),
        (0.0, r"right to within [\d.]+ ms, by 1 of 1 NTP server\."),
    ],
)
@pytest.mark.alone
def test_the_sentence_says_which_way_the_clock_is_off(offset: float, words: str) -> None:
    with clocks(offset) as servers:
        done = run("clock", *asking(*servers))

    assert done.exit_code == 0
    assert re.fullmatch(f"This machine's clock is {words}", done.stdout.splitlines()[0])


def test_without_any_answer_nobody_can_tell_and_it_says_what_helps() -> None:
    with NtpServer(script=swallow) as silent, NtpServer(stratum=16) as unsynchronised:
        servers = (silent.address, unsynchronised.address)
        done = run("clock", *asking(*servers), "--timeout", "100ms")

    assert (done.exit_code, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "Nobody can tell how wrong this machine's clock is: no server gave a usable answer."
    )
    assert "lets UDP packets out to port 123" in lines[2]
    assert re.search(rf"{servers[0]} +- +- +- +-  rejected  no valid reply in time\n", done.stdout)
    assert re.search(rf"{servers[1]} .* rejected  the server has stratum 16", done.stdout)
    assert re.search(r"wall +- +-  serves +the last resort", done.stdout)


def test_servers_that_contradict_each_other_are_shown_with_their_offsets() -> None:
    with clocks(0.0, 5.0) as servers:
        done = run("clock", *asking(*servers))

    assert done.exit_code == 1
    assert "no majority of the 2 servers agrees" in done.stdout.splitlines()[0]
    assert "more servers that answer" in done.stdout.splitlines()[2]
    assert re.search(rf"{servers[1]} +-[45]\.\d+ s .* rejected", done.stdout)


def test_a_server_that_refuses_is_dropped_and_not_asked_again() -> None:
    with NtpServer(script=deny) as denying:
        server = denying.address
        done = run(
            *("clock", *asking(server), "--watch", "--every", "1ms", "--rounds", "3"),
            *("--timeout", "100ms"),
        )
        requests = denying.requests

    assert (done.exit_code, done.stderr, requests) == (0, "", 1)
    assert len(re.findall(rf"{server} .* dropped  .*DENY", done.stdout)) == 3
    assert done.stdout.count("What helps: other servers, as they refuse this machine.\n") == 3


def test_a_port_where_nothing_listens_is_told_from_a_firewall() -> None:
    with NtpServer() as closed:
        gone = closed.address
    done = run("clock", *asking(gone), "--timeout", "200ms")

    assert done.exit_code == 1
    words = "What helps: the right address and port, as nothing listens there."
    assert done.stdout.splitlines()[2] == words


def test_the_kernels_word_counts_where_no_server_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel_says(monkeypatch, KernelStatus(synchronised=True, max_error=0.02))
    with NtpServer(script=swallow) as silent:
        done = run("clock", *asking(silent.address), "--timeout", "50ms")

    assert done.exit_code == 0
    words = r"This machine's clock is right to within 7\d\.\d ms, as its kernel says\."
    assert re.fullmatch(words, done.stdout.splitlines()[0])
    assert "(degraded: served by this machine's own daemon)" in done.stdout.splitlines()[1]
    assert "serves    synchronised, to within 20.0 ms by its own account" in done.stdout


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "the system does not tell"),
        (KernelStatus(synchronised=False, max_error=16.0), "not synchronised: no daemon keeps it"),
        (KernelStatus(synchronised=True, max_error=0.6), "synchronised, to within 600 ms by its"),
    ],
    ids=["silent", "unsynchronised", "too unsure"],
)
def test_a_kernel_that_cannot_serve_says_why(
    status: KernelStatus | None, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel_says(monkeypatch, status)
    with NtpServer(script=swallow) as silent:
        row = found(*asking(silent.address), code=1)["rungs"][1]

    assert (row["rung"], row["serves"], row["bound_s"]) == ("kernel", False, None)
    assert row["reason"].startswith(reason)


def test_a_bound_above_max_error_is_exit_code_1(tmp_path: Path, regions: Regions) -> None:
    with clocks(0.0) as servers:
        file = routes(tmp_path, regions, *servers, more=", max_error: 1us")
        done = run("clock", file, "--no-probe")

    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("This machine's clock is right to within")
    assert lines[1].endswith("which is more than max_error, 0.00 ms.")
    assert (
        lines[2] == "What helps: servers that are nearer, or some patience until they agree again."
    )


# -- the endpoints of a file


def test_an_endpoint_whose_own_clock_is_off_is_flagged(tmp_path: Path, regions: Regions) -> None:
    regions["near"].clock, regions["far"].clock = 1.0, 31.0
    with clocks(1.0, 1.0, 1.0) as servers:
        file = routes(tmp_path, regions, *servers)
        file.write_text(file.read_text() + "\n- {name: '[red]x[/red]', url: 'http://127.0.0.1:9'}")
        done = run("clock", file)

    assert (done.exit_code, done.stderr) == (0, "")
    table = done.stdout.split("\n\n")[-1].splitlines()
    assert table[0].split() == ["endpoint", "its", "clock", "-", "UTC", "bound", "verdict", "why"]
    rows = {line.split()[0]: line for line in table[1:]}
    assert list(rows) == ["near", "middle", "far", "[red]x[/red]"]
    assert re.fullmatch(r"near +[+-][\d.]+ ms +± [\d.]+ ms  agrees", rows["near"])
    off = r"far +\+(29|30)\.\d+ s +± [\d.]+ ms  off +its own clock is (29|30)\.\d s ahead"
    assert re.fullmatch(off, rows["far"])
    assert re.fullmatch(r"middle +- +-  unknown  no answer with a Date", rows["middle"])
    assert rows["[red]x[/red]"].endswith("unknown  connection refused")


def test_dates_serve_where_udp_is_blocked(tmp_path: Path, regions: Regions) -> None:
    for region in regions:
        region.clock = 3600.0
    with NtpServer(script=swallow) as silent:
        made = found(routes(tmp_path, regions, silent.address))

    assert (made["source"], made["status"]) == ("http", "degraded")
    assert abs(made["wall_error_s"] + 3600) <= made["bound_s"] + 1.0
    assert re.fullmatch(
        r"This machine's clock is (59 min 59 s|1 h 00 min 0\d s) slow \(± [\d.]+ ms\), "
        r"as the Dates of 3 of 3 endpoints agree\.",
        made["summary"],
    )


def test_without_probes_no_endpoint_hears_of_it(tmp_path: Path, regions: Regions) -> None:
    with clocks(0.0) as servers:
        made = found(routes(tmp_path, regions, *servers), "--no-probe")

    assert made["endpoints"] == []
    assert [region.probes for region in regions] == [0, 0, 0]


def test_probes_carry_no_credentials_and_no_secret_is_shown(
    tmp_path: Path, regions: Regions
) -> None:
    token = "\ntoken: {url: 'https://127.0.0.1:9/t', client_id: me, client_secret: planted-secret}"
    with clocks(0.0) as servers:
        file = routes(tmp_path, regions, *servers)
        file.write_text(file.read_text() + token)
        table, text = run("clock", file), json.dumps(found(file))

    assert table.exit_code == 0
    assert "planted-secret" not in table.output + text
    assert regions.received == []
    assert all(region.probes for region in regions)


# -- which servers


def test_standard_input_is_a_file(tmp_path: Path, regions: Regions) -> None:
    with clocks(0.0) as servers:
        text = routes(tmp_path, regions, *servers).read_text()
        done = run("clock", "-", "--no-probe", "--json", input=text)

    assert (done.exit_code, done.stderr) == (0, "")
    assert [row["server"] for row in json.loads(done.stdout)["servers"]] == servers


@pytest.mark.parametrize(
    ("text", "told"),
    [(None, "no FILE"), ("endpoints: [https://127.0.0.1:9]", "no clock: section in {file}")],
    ids=["no file", "no section"],
)
def test_without_settings_the_default_servers_are_asked_and_that_is_said(
    text: str | None, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, text or "")
    with clocks(0.0) as servers:
        defaults = functools.partial(ClockSettings, servers=tuple(servers))
        monkeypatch.setattr("router.cli.clock.ClockSettings", defaults)
        done = run("clock", *([file] if text else []), "--no-probe")

    assert done.exit_code == 0
    assert done.stderr == f"{told.format(file=file)}: asking the default servers\n"
    assert servers[0] in done.stdout


def test_a_server_option_stands_in_place_of_the_files(tmp_path: Path, regions: Regions) -> None:
    with clocks(0.0, 9.0) as servers:
        file = routes(tmp_path, regions, servers[0])
        made = found(file, "--no-probe", *asking(servers[1]))

    assert [row["server"] for row in made["servers"]] == servers[1:]
    assert made["wall_error_s"] == pytest.approx(-9.0, abs=0.1)


def test_a_file_without_servers_asks_none(tmp_path: Path, regions: Regions) -> None:
    made = found(routes(tmp_path, regions), "--no-probe", code=1)

    assert made["servers"] == []
    assert made["rungs"][0]["reason"] == "no servers are configured"


def test_servers_of_two_timescales_are_refused_in_one_sentence() -> None:
    done = run("clock", *asking("time.google.com", "ntp.se"))

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith("servers: time.google.com spreads a leap second over 24 hours")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--server", "https://x"], "an NTP server is a host such as"),
        (["--timeout", "2"], "write a duration with its unit"),
        (["--watch", "--every", "15s"], "time.cloudflare.com may be a public server: leave at"),
        (
            ["--watch", "--every", "1s", "--server", "127.0.0.1", "--server", "ntp.se"],
            "ntp.se may be a public server",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_is_a_usage_error(arguments: list[str], words: str) -> None:
    done = run("clock", *arguments)

    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


def test_a_configuration_error_is_told_with_its_place(tmp_path: Path) -> None:
    file = written(tmp_path, "clock: {max: 1s}\nendpoints: [https://a.example]")

    done = run("clock", file)

    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{file}:1:9: clock.max: ")


# -- real servers


def test_real_servers_and_a_liar(tmp_path: Path) -> None:
    with (
        chronies(tmp_path, 0, 0, 0, 2.0) as servers,
        chronyd(tmp_path / "lost", standing=UNSYNCHRONISED) as lost,
    ):
        made = found(*asking(*servers, lost.address), "--timeout", "1s")

    assert (made["source"], made["status"]) == ("ntp", "degraded")
    verdicts = [row["verdict"] for row in made["servers"]]
    assert verdicts == ["used", "used", "used", "falseticker", "rejected"]
    assert made["servers"][3]["wall_error_s"] == pytest.approx(-2.0, abs=0.1)
    assert made["servers"][4]["reason"] == "the server says that its clock is not synchronised"
    assert re.fullmatch(
        r"This machine's clock is right to within [\d.]+ ms, by 3 of 5 NTP servers\.",
        made["summary"],
    )
    assert abs(made["wall_error_s"]) <= made["bound_s"] < 0.05
