"""The words and tables of `router clock`, from findings made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from fake_time import FakeTime
from rich.console import Console

from router.balance.ranking import Ranked
from router.cli.clock_table import drawn
from router.cli.clock_words import advice, stamped, summary
from router.cli.endpoint_clocks import endpoint_clock
from router.cli.finding import Finding
from router.cli.rungs import RungRow, rung_rows
from router.cli.span import signed, span
from router.clock.clock import Clock
from router.clock.keeper import Keeper
from router.clock.reading import UNBOUNDED, Reading, Stamp
from router.clock.report import SourceReport
from router.endpoint import Endpoint
from router.geo.prior import prior
from router.latency.estimate import Estimate

if TYPE_CHECKING:
    from router.cli.endpoint_clocks import EndpointClock
    from router.clock.reading import Rung, Status


@pytest.mark.parametrize(
    ("seconds", "words", "with_sign"),
    [
        (0.0, "0.00 ms", "+0.00 ms"),
        (-1e-7, "0.00 ms", "+0.00 ms"),
        (0.00042, "0.42 ms", "+0.42 ms"),
        (-0.0124, "12.4 ms", "-12.4 ms"),
        (0.302, "302 ms", "+302 ms"),
        (-1.3024, "1.302 s", "-1.302 s"),
        (119.0, "119.000 s", "+119.000 s"),
        (150.4, "2 min 30 s", "+2 min 30 s"),
        (3599.4, "59 min 59 s", "+59 min 59 s"),
        (3599.6, "1 h 00 min 00 s", "+1 h 00 min 00 s"),
        (-7205.0, "2 h 00 min 05 s", "-2 h 00 min 05 s"),
        (2 * 86400 - 1.0, "47 h 59 min 59 s", "+47 h 59 min 59 s"),
        (2 * 86400.0, "2 days 0 h", "+2 days 0 h"),
        (3 * 86400 - 60.0, "3 days 0 h", "+3 days 0 h"),
        (10187 * 86400 + 22 * 3600.0, "10187 days 22 h", "+10187 days 22 h"),
    ],
)
def test_a_time_is_read_in_the_unit_that_suits_it(
    seconds: float, words: str, with_sign: str
) -> None:
    assert (span(seconds), signed(seconds)) == (words, with_sign)


def finding(
    source: Rung, status: Status, *, error: float | None, bound: float | None, used: int = 3
) -> Finding:
    """Return a finding in which `used` of four servers agree."""
    bound_ns = UNBOUNDED if bound is None else int(bound * 1e9)
    servers = tuple(
        SourceReport(f"n{number}", "used" if number < used else "rejected") for number in range(4)
    )
    ntp = RungRow("ntp", serves=False, reason="no server gave a usable answer")
    serving = RungRow(source, True, "the Dates of 2 of 3 endpoints agree", error, bound)
    rungs = (serving,) if source == "ntp" else (ntp, serving)
    return Finding(Stamp((0, Reading(0, bound_ns, status, source))), 0.5, servers, rungs, None)


@pytest.mark.parametrize(
    ("made", "first", "second"),
    [
        (
            finding("ntp", "synchronised", error=-1.302, bound=0.014),
            "This machine's clock is 1.302 s slow (± 14.0 ms), by 3 of 4 NTP servers.",
            "The router's stamps are right to within 14.0 ms (synchronised).",
        ),
        (
            finding("ntp", "holdover", error=0.01, bound=0.3, used=0),
            (
                "This machine's clock is right to within 310 ms, "
                "by what a majority of the NTP servers said earlier."
            ),
            (
                "The router's stamps are right to within 300 ms "
                "(holdover: the last round brought no majority)."
            ),
        ),
        (
            finding("http", "unsynchronised", error=3.0, bound=0.7, used=0),
            (
                "This machine's clock is 3.000 s fast (± 700 ms), "
                "as the Dates of 2 of 3 endpoints agree."
            ),
            "The router's stamps may be wrong by 700 ms, which is more than max_error, 500 ms.",
        ),
        (
            finding("kernel", "degraded", error=0.0, bound=0.06, used=0),
            "This machine's clock is right to within 60.0 ms, as its kernel says.",
            (
                "The router's stamps are right to within 60.0 ms "
                "(degraded: served by this machine's own daemon)."
            ),
        ),
        (
            finding("http", "degraded", error=0.0, bound=0.06, used=0),
            (
                "This machine's clock is right to within 60.0 ms, "
                "as the Dates of 2 of 3 endpoints agree."
            ),
            (
                "The router's stamps are right to within 60.0 ms "
                "(degraded: served by the Dates of answers)."
            ),
        ),
        (
            finding("ntp", "degraded", error=0.0, bound=0.06),
            "This machine's clock is right to within 60.0 ms, by 3 of 4 NTP servers.",
            (
                "The router's stamps are right to within 60.0 ms "
                "(degraded: fewer than four NTP servers agree)."
            ),
        ),
        (
            finding("wall", "unsynchronised", error=None, bound=None, used=0),
            "Nobody can tell how wrong this machine's clock is: no server gave a usable answer.",
            "The router's stamps are this machine's own time: nobody knows how wrong they are.",
        ),
    ],
    ids=["ntp", "holdover", "http", "kernel", "Dates that will do", "three servers", "wall"],
)
def test_the_sentences(made: Finding, first: str, second: str) -> None:
    assert (summary(made), stamped(made)) == (first, second)
    assert bool(advice(made)) is not made.sure


SILENCE = "no valid reply in time"
FIREWALL = "a firewall that lets UDP packets out to port 123"
DENIED = "the server sends the kiss code DENY"


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ([DENIED, "the server sends the kiss code RSTR"], "other servers, as they refuse this"),
        (["the name x.invalid cannot be resolved"], "DNS that works, or servers by their address"),
        (["the name x was not resolved in time"], "DNS that works, or servers by their addresses"),
        (["Connection refused"], "the right address and port, as nothing listens there."),
        ([SILENCE, "no valid reply before the end of the round"], f"{FIREWALL}."),
        ([SILENCE, DENIED], f"other servers, as they refuse this machine; {FIREWALL}."),
        (["the server sends the kiss code RATE"], "patience, as servers were asked too often."),
        (["Network is unreachable"], "servers that can be reached, in clock.servers or by"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_helps_depends_on_why_no_server_answered(reasons: list[str], words: str) -> None:
    servers = tuple(SourceReport(f"n{i}", "rejected", why) for i, why in enumerate(reasons))
    made = finding("wall", "unsynchronised", error=None, bound=None)

    assert advice(replace(made, servers=servers)).startswith(f"What helps: {words}")


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_nothing_is_cut_off_at_any_width(width: int) -> None:
    made = finding("http", "unsynchronised", error=3.0, bound=0.7, used=0)
    name = "[b]" + "x" * 40
    server = SourceReport(name, "falseticker", "its clock is 3.302 s behind the majority", 1.5)
    paper = Console(width=width, markup=False, highlight=False, color_system=None)

    with paper.capture() as captured:
        paper.print(drawn(paper, replace(made, servers=(server,))))

    lines = captured.get().splitlines()
    letters = "".join("".join(lines).split())
    assert max(map(len, lines)) <= width
    assert "…" not in letters
    assert letters.count("x") >= 40
    assert "[b]" in letters
    assert width < 80 or "-1.500s" in letters


def ranked(name: str, trouble: str | None = None) -> Ranked:
    return Ranked(
        endpoint=Endpoint(url="https://a.example", name=name),
        estimate=Estimate(0.01, 0.1, "measured", 5),
        prior=prior(None, None),
        cost=0.01,
        health="healthy",
        trouble=trouble,
    )


def told_by_dates(
    errors: dict[str, float], names: str
) -> tuple[tuple[RungRow, ...], list[EndpointClock]]:
    """Return the rungs and endpoints where nothing tells the time but Dates, off by so many s."""
    time = FakeTime()
    keeper = Keeper(Clock(settle_within=0, host=time.host()), host=time.host())
    for name, error in errors.items():
        keeper.dated(name, time.wall + error, asked=time.boot - 0.1, received=time.boot)
    keeper.reckon()
    endpoints = [endpoint_clock(ranked(name), keeper) for name in names]
    rows = rung_rows(
        keeper.clock.rungs(),
        time.host().hands(),
        serving=keeper.clock.now().source,
        servers=[],
        kernel=None,
        endpoints=endpoints,
    )
    return rows, endpoints


def test_endpoints_that_contradict_each_other_leave_nothing_to_go_by() -> None:
    rows, endpoints = told_by_dates({"a": 0, "b": 60}, "ab")

    assert [(row.rung, row.serves) for row in rows][2:] == [("http", False), ("wall", True)]
    assert rows[2].reason == "the endpoints' Dates contradict each other"
    assert {endpoint.reason for endpoint in endpoints} == {
        "contradicted by other endpoints, and nothing else tells the time"
    }


def test_only_the_endpoints_that_meet_the_time_of_the_dates_agree_with_it() -> None:
    rows, endpoints = told_by_dates({"a": 0, "b": 0, "c": 60}, "abcd")

    assert (rows[2].serves, rows[2].reason) == (True, "the Dates of 2 of 3 endpoints agree")
    assert [row.verdict for row in endpoints] == ["agrees", "agrees", "off", "unknown"]
    assert endpoints[2].reason.startswith("its own clock is 60.")
    assert endpoints[0].reason == ""


def test_an_endpoint_without_a_date_says_why() -> None:
    time = FakeTime()
    keeper = Keeper(Clock(settle_within=0, host=time.host()), host=time.host())

    assert endpoint_clock(ranked("a"), keeper).reason == "no answer with a Date"
    assert endpoint_clock(ranked("a", "answered 503"), keeper).reason == "answered 503"
