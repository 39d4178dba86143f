"""What the flow asks about time: whose clock a stamp shows, and what is learnt from answers."""

from __future__ import annotations

from email.utils import formatdate
from typing import Any

import pytest
from fake_time import FakeTime

from router.clock import Clock, Stamper
from router.clock.keeper import Keeper
from router.clock.select import Selection
from router.config.settings import ClockSettings
from router.config.skew_errors import KNOWN, parse_skew_errors

NS = 10**9
RTT = 0.02


class Desk:
    """A keeper on a fake host; `away` holds by how many seconds each endpoint's clock is off."""

    def __init__(self, *, synchronised: bool = True, **settings: Any) -> None:
        self.fake = FakeTime()
        self.notes: list[str] = []
        self.rounds_asked = 0
        self.skews: dict[str, float | None] = {}
        self.clock = Clock(host=self.fake.host(), settle_within=0, note=self.notes.append)
        self.clock.on_disturbance(self.ask)
        if synchronised:
            theta = self.fake.wall - self.fake.boot
            said = Selection(theta=theta, bound=0.01, taken=self.fake.boot, used=("a",))
            self.clock.update(said, self.fake.boot)
        made = ClockSettings(servers=(), header="X-Timestamp", **settings)
        self.keeper = Keeper(
            self.clock,
            host=self.fake.host(),
            stamper=Stamper(made, note=self.notes.append),
            by_server=made.stamp == "server",
            skew_errors=made.skew_errors,
            aims=True,
            told=self.skews.__setitem__,
        )

    def ask(self) -> None:
        self.rounds_asked += 1

    def answer(self, *, ahead: float) -> list[tuple[bytes, bytes]]:
        """Let an endpoint answer whose clock is `ahead`; return the headers."""
        date = formatdate(int(self.fake.wall + RTT / 2 + ahead), usegmt=True)
        return [(b"Server", b"nginx"), (b"Date", date.encode())]

    def exchange(self, name: str, *, ahead: float, times: int = 1) -> None:
        for _ in range(times):
            asked = self.fake.boot
            headers = self.answer(ahead=ahead)
            self.fake.pass_by(RTT)
            self.keeper.heard(name, headers, asked=asked)
            self.fake.pass_by(0.37)

    def error(self, name: str) -> float:
        """Return by how much a stamp for the endpoint is ahead of true time, in seconds."""
        return (self.keeper.stamp(name).ns - round(self.fake.wall * NS)) / NS


def test_a_stamp_is_utc_whatever_the_endpoints_clock_says() -> None:
    desk = Desk()
    desk.exchange("fast", ahead=5.0, times=20)
    assert desk.error("fast") == pytest.approx(0, abs=1e-5)
    assert desk.keeper.stamp("fast").source == "ntp"


def test_with_stamp_server_it_is_the_time_of_the_endpoint_that_will_judge_it() -> None:
    desk = Desk(stamp="server")
    for _ in range(20):
        desk.exchange("fast", ahead=5.0)
        desk.exchange("slow", ahead=-7.0)
        desk.exchange("right", ahead=0.0)
    assert desk.error("fast") == pytest.approx(5.0, abs=0.2)
    assert desk.error("slow") == pytest.approx(-7.0, abs=0.2)
    assert desk.error("right") == pytest.approx(0.0, abs=1e-5)  # ours, while it fits
    assert desk.error("unheard") == pytest.approx(0.0, abs=1e-5)
    stamp = desk.keeper.stamp("fast")
    assert (stamp.source, stamp.status) == ("server", "degraded")
    assert abs(desk.error("fast") - 5.0) <= stamp.bound_ns / NS < 0.3


@pytest.mark.parametrize(
    ("ahead", "found"), [(0.0, None), (2.0, 2.0), (-3.0, -3.0), (0.01, None), (-0.6, None)]
)
def test_an_endpoint_whose_clock_is_off_is_told_of_once(ahead: float, found: float | None) -> None:
    desk = Desk()
    desk.exchange("it", ahead=ahead, times=50)
    if found is None:
        assert desk.skews == {}
    else:
        assert desk.skews == {"it": pytest.approx(found, abs=0.5)}
    told = dict(desk.skews)
    desk.exchange("it", ahead=ahead, times=50)
    assert desk.skews.keys() == told.keys()


def test_a_clock_that_was_set_right_is_no_longer_told_of() -> None:
    desk = Desk()
    desk.exchange("it", ahead=4.0, times=50)
    assert desk.skews["it"] is not None
    desk.exchange("it", ahead=0.0, times=50)
    assert desk.skews["it"] is None


def test_it_turns_out_later_that_an_endpoint_was_off_all_the_time() -> None:
    desk = Desk(synchronised=False)
    desk.exchange("off", ahead=30.0, times=10)  # nothing to compare with: this is our time, then
    assert desk.skews == {}
    theta = desk.fake.wall - desk.fake.boot
    said = Selection(theta=theta, bound=0.01, taken=desk.fake.boot, used=("a",))
    desk.clock.update(said, desk.fake.boot)
    desk.exchange("off", ahead=30.0, times=10)
    assert desk.skews == {"off": pytest.approx(30.0, abs=0.5)}


def test_with_ntp_out_of_reach_the_answers_of_a_majority_keep_the_time() -> None:
    desk = Desk(synchronised=False)
    desk.fake.wall += 0.4  # somewhere within a second
    for _ in range(20):
        desk.exchange("a", ahead=0.0)
        desk.exchange("b", ahead=0.0)
        desk.exchange("liar", ahead=600.0)
    stamp = desk.clock.now()
    assert (stamp.source, stamp.status) == ("http", "degraded")
    assert abs(stamp.ns / NS - desk.fake.wall) <= stamp.bound_ns / NS < 0.3
    assert desk.skews == {"liar": pytest.approx(600.0, abs=0.5)}


def test_a_pause_that_no_clock_of_this_host_shows_is_seen_in_the_answers() -> None:
    desk = Desk()
    desk.exchange("a", ahead=0.0, times=50)
    assert desk.rounds_asked == 0
    desk.exchange("a", ahead=30.0)  # the virtual machine stood still for half a minute
    assert desk.rounds_asked == 1


def test_answers_without_a_date_of_their_own_teach_nothing() -> None:
    desk = Desk(synchronised=False)
    for headers in ([], [(b"Date", b"yesterday")], [*desk.answer(ahead=0), (b"Age", b"3")]):
        desk.keeper.heard("a", headers, asked=desk.fake.boot)
    assert desk.clock.now().source == "wall"


REFUSALS = [
    # status, body, is it about the time
    (403, "<Code>RequestTimeTooSkewed</Code>", True),
    (403, '{"__type":"RequestExpired"}', True),
    (400, '{"code":-1021,"msg":"Timestamp for this request is outside of the recvWindow."}', True),
    (400, '{"code": -1021}', True),
    (400, '{"code":-10210}', False),
    (400, '{"code":-1022}', False),
    (403, "<Code>AccessDenied</Code>", False),
    (401, "RequestTimeTooSkewed", False),
    (400, "", False),
]


@pytest.mark.parametrize(("status", "body", "expected"), REFUSALS)
def test_a_skew_error_is_known_by_its_status_and_its_body(
    status: int, body: str, *, expected: bool
) -> None:
    keeper = Desk().keeper
    assert (status in keeper.skew_statuses) == (status != 401)
    assert keeper.is_skew_error(status, body) is expected


def test_other_skew_errors_take_the_place_of_the_known_ones() -> None:
    keeper = Desk(skew_errors=["401 timestamp (expired|invalid)"]).keeper
    assert keeper.is_skew_error(401, "request timestamp expired")
    assert 400 not in keeper.skew_statuses
    assert [str(error) for error in parse_skew_errors(KNOWN)] == [str(error) for error in KNOWN]


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("403 RequestTimeTooSkewed", "write a list"),
        (["RequestTimeTooSkewed"], "a status and a regular expression"),
        (["999 x"], "a status and a regular expression"),
        ([403], "a status and a regular expression"),
        (["403 (x"], "is no regular expression"),
    ],
)
def test_a_skew_error_that_cannot_be_read_is_refused(written: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_skew_errors(written)


def test_who_does_not_stamp_looks_for_no_skew_error() -> None:
    desk = Desk()
    bare = Keeper(desk.clock, host=desk.fake.host(), skew_errors=KNOWN)
    assert 403 not in bare.skew_statuses


def test_an_endpoint_that_refused_our_time_is_sent_its_own_from_then_on() -> None:
    desk = Desk()
    asked = desk.fake.boot
    headers = desk.answer(ahead=-9.0)
    desk.fake.pass_by(RTT)
    desk.keeper.heard("it", headers, asked=asked)
    desk.keeper.refused("it", headers, asked=asked)
    assert desk.error("it") == pytest.approx(-9.0, abs=0.6)
    desk.exchange("it", ahead=-9.0, times=20)
    assert desk.error("it") == pytest.approx(-9.0, abs=0.2)
    assert desk.error("other") == pytest.approx(0.0, abs=1e-5)


def test_a_refusal_counts_for_more_than_what_the_endpoint_said_before() -> None:
    desk = Desk(stamp="server")
    desk.exchange("it", ahead=0.0, times=50)
    asked = desk.fake.boot
    headers = desk.answer(ahead=-20.0)  # it was set back a moment ago
    desk.fake.pass_by(RTT)
    desk.keeper.heard("it", headers, asked=asked)
    desk.keeper.refused("it", headers, asked=asked)
    assert desk.error("it") == pytest.approx(-20.0, abs=0.6)


def test_a_refusal_without_any_date_helps_nobody() -> None:
    desk = Desk()
    desk.keeper.refused("it", [], asked=desk.fake.boot)
    assert desk.error("it") == pytest.approx(0.0, abs=1e-5)


def test_what_was_learnt_of_an_endpoint_goes_with_it() -> None:
    desk = Desk(stamp="server")
    desk.exchange("gone", ahead=5.0, times=20)
    desk.exchange("kept", ahead=5.0, times=20)
    desk.keeper.retain({"kept"})
    assert desk.error("gone") == pytest.approx(0.0, abs=1e-5)
    assert desk.error("kept") == pytest.approx(5.0, abs=0.2)


def test_late_answers_of_an_endpoint_that_was_taken_out_do_not_count() -> None:
    desk = Desk(synchronised=False)
    desk.keeper.retain({"kept"}, gone={"gone"})
    desk.exchange("gone", ahead=50.0, times=5)
    assert desk.clock.now().source == "wall"
    assert desk.keeper.theirs("gone") is None


def test_one_of_two_endpoints_that_is_nearly_a_second_fast_does_not_break_the_bound() -> None:
    desk = Desk(synchronised=False)
    for _ in range(30):
        desk.exchange("right", ahead=0.0)
        desk.exchange("fast", ahead=0.9)
    stamp = desk.clock.now()
    assert abs(stamp.ns / NS - desk.fake.wall) <= stamp.bound_ns / NS


def test_moved_clocks_make_what_the_endpoints_said_less_sure() -> None:
    desk = Desk(synchronised=False)
    desk.exchange("a", ahead=0.0, times=40)
    desk.fake.slew(0.4)
    desk.fake.wall -= 0.4  # true time goes on evenly
    desk.clock.now()
    for _ in range(40):
        stamp = desk.clock.now()
        assert abs(stamp.ns / NS - desk.fake.wall) <= stamp.bound_ns / NS
        desk.exchange("a", ahead=0.0)


def test_probes_are_aimed_only_while_the_clock_needs_it() -> None:
    assert Desk().keeper.aim("a") is None
    unsure = Desk(synchronised=False).keeper.aim("a")
    assert unsure is not None
    assert unsure(0.01) == 0.0  # nothing is known yet: any moment will do
    needy = Desk(synchronised=False)
    needy.exchange("a", ahead=0.0)
    needy.clock.suppose(None)
    aim = needy.keeper.aim("a")
    assert aim is not None
    assert 0 <= aim(0.01) < 1
