"""The header: formats, and what happens when the clock is not sure."""

from __future__ import annotations

import locale
import logging
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import pytest
from fake_time import FakeTime
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock import Clock, Stamper, write
from router.clock.reading import Reading, Stamp
from router.clock.select import Selection
from router.config.settings import ClockSettings
from router.errors import ClockError

NS = 1_762_345_678_987_654_321  # 2025-11-05T12:27:58.987Z
WRITTEN = [
    (NS, "unix", "1762345678"),
    (NS, "unix_ms", "1762345678987"),
    (NS, "rfc3339", "2025-11-05T12:27:58.987Z"),
    (NS, "http_date", "Wed, 05 Nov 2025 12:27:58 GMT"),
    (0, "rfc3339", "1970-01-01T00:00:00.000Z"),
    (0, "http_date", "Thu, 01 Jan 1970 00:00:00 GMT"),
    (999_999_999, "unix", "0"),
    (999_999_999, "unix_ms", "999"),
    (999_999_999, "rfc3339", "1970-01-01T00:00:00.999Z"),
    (1_709_208_000 * 10**9, "rfc3339", "2024-02-29T12:00:00.000Z"),
    (1_709_208_000 * 10**9, "http_date", "Thu, 29 Feb 2024 12:00:00 GMT"),
    (2_147_483_648 * 10**9, "rfc3339", "2038-01-19T03:14:08.000Z"),
]


@pytest.fixture
def fake() -> FakeTime:
    return FakeTime()


@pytest.mark.parametrize(("ns", "format_", "text"), WRITTEN)
def test_a_moment_is_written_as_the_format_says(
    ns: int, format_: Literal["unix", "unix_ms", "rfc3339", "http_date"], text: str
) -> None:
    assert write(ns, format_) == text


@settings(database=None, derandomize=True)
@given(st.integers(0, 4 * 10**18))
def test_dates_read_back_as_the_same_moment(ns: int) -> None:
    read = datetime.fromisoformat(write(ns, "rfc3339"))
    assert (read.timestamp() * 1000) == pytest.approx(ns // 10**6, abs=0.5)
    assert parsedate_to_datetime(write(ns, "http_date")).timestamp() == ns // 10**9
    assert read.tzinfo == UTC


def test_the_locale_changes_nothing() -> None:
    before = locale.setlocale(locale.LC_ALL)
    try:
        locale.setlocale(locale.LC_ALL, "")
        assert write(NS, "http_date") == "Wed, 05 Nov 2025 12:27:58 GMT"
    finally:
        locale.setlocale(locale.LC_ALL, before)


def stamping(**more: Any) -> ClockSettings:
    return ClockSettings(header="X-Timestamp", max_error=0.5, **more)


def right_to(fake: FakeTime, bound: float) -> Clock:
    clock = Clock(host=fake.host())
    theta = fake.wall - fake.boot
    clock.update(Selection(theta=theta, bound=bound, taken=fake.boot, used=("a",)), fake.boot)
    return clock


def test_a_sure_clock_is_stamped(fake: FakeTime) -> None:
    stamp = right_to(fake, 0.4).now()
    assert Stamper(stamping()).header(stamp) == (b"X-Timestamp", b"1800000000000")


def test_each_header_holds_the_time_at_which_it_is_made(fake: FakeTime) -> None:
    clock, stamper = right_to(fake, 0.4), Stamper(stamping())
    stamper.header(clock.now())
    fake.pass_by(1.2505)
    assert stamper.header(clock.now()) == (b"X-Timestamp", b"1800000001250")


def test_without_a_header_nothing_is_stamped() -> None:
    stamp = Clock(host=FakeTime().host()).now()
    assert Stamper(ClockSettings()).header(stamp) is None


def test_the_policy_holds_without_a_header_as_well() -> None:
    stamper = Stamper(ClockSettings(when_unsure="refuse"))  # a signature carries the time
    with pytest.raises(ClockError):
        stamper.header(Clock(host=FakeTime().host()).now())


def test_a_stamp_by_the_endpoints_own_clock_is_not_held_against_max_error() -> None:
    stamper = Stamper(stamping(when_unsure="refuse"))
    theirs = Stamp((0, Reading(1_800_000_000 * 10**9, 6 * 10**8, "degraded", "server")))
    stamper.check(theirs)
    assert stamper.header(theirs) == (b"X-Timestamp", b"1800000000000")


def test_warn_stamps_and_says_so_once_a_minute(
    fake: FakeTime, caplog: pytest.LogCaptureFixture
) -> None:
    times = iter((5.0, 6.0, 64.9, 65.0, 66.0))
    stamper = Stamper(stamping(when_unsure="warn"), monotonic=lambda: next(times))
    stamp = right_to(fake, 0.6).now()
    with caplog.at_level(logging.WARNING, "router.clock"):
        for _ in range(5):
            assert stamper.header(stamp) == (b"X-Timestamp", b"1800000000000")
    assert len(caplog.records) == 2
    assert "0.600 s" in caplog.text
    assert "max_error of 0.5 s" in caplog.text


def test_a_sure_clock_is_silent(fake: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    Stamper(stamping()).header(right_to(fake, 0.4).now())
    assert not caplog.records


def test_refuse_raises_and_says_what_to_do(fake: FakeTime) -> None:
    stamper = Stamper(stamping(when_unsure="refuse"))
    with pytest.raises(ClockError, match=r"0\.600 s .*UDP port 123.*clock\.when_unsure to warn"):
        stamper.header(right_to(fake, 0.6).now())


def test_refuse_says_when_nothing_at_all_is_known() -> None:
    with pytest.raises(ClockError, match="bound is not known"):
        Stamper(stamping(when_unsure="refuse")).header(Clock(host=FakeTime().host()).now())


def test_omit_leaves_the_header_out(fake: FakeTime, caplog: pytest.LogCaptureFixture) -> None:
    stamper = Stamper(stamping(when_unsure="omit"))
    assert stamper.header(right_to(fake, 0.6).now()) is None
    assert not caplog.records
