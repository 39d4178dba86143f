"""NTP packets: an honest reply gives the right sample, everything else none."""

from __future__ import annotations

import contextlib

import pytest
from forged_replies import (
    ACCEPTED,
    COOKIE,
    HONEST,
    KISSES,
    REFUSED,
    STRAY,
    UTC,
    kiss,
    stamps,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.ntp import PHI, NoSampleError, Sample, StrayError, make_request, parse_reply
from router.clock.ntp import unwrap as unwrapped

T1, T4 = 500.0, 500.1


def parse(data: bytes, *, near: float = UTC, t4: float = T4) -> Sample:
    return parse_reply(data, expected_origin=COOKIE, t1=T1, t4=t4, near=near)


def test_what_is_forged_is_many_things() -> None:
    assert len(STRAY) + len(REFUSED) + len(KISSES) >= 40


def test_the_request_is_a_bare_client_packet_of_version_4_that_tells_no_time() -> None:
    request, cookie = make_request(lambda size: b"r" * size)
    assert request == bytes([4 << 3 | 3]) + bytes(39) + b"rrrrrrrr"
    assert cookie == b"rrrrrrrr"


def test_requests_differ_in_all_their_random_bits() -> None:
    cookies = [int.from_bytes(make_request()[1]) for _ in range(200)]
    ever_set, always_set = 0, 2**64 - 1
    for cookie in cookies:
        ever_set |= cookie
        always_set &= cookie
    assert (ever_set, always_set) == (2**64 - 1, 0)


def test_an_honest_reply_gives_offset_delay_and_error() -> None:
    sample = parse(HONEST)
    assert sample.theta == pytest.approx(UTC - T1, abs=2e-6)
    assert sample.delta == pytest.approx(0.08, abs=2e-6)
    assert sample.epsilon == pytest.approx(0.001 + 0.001 + 2**-20 + PHI * 0.1, abs=2e-5)
    assert (sample.taken, sample.stratum) == (T4, 2)
    assert sample.bound(T4 + 100) == pytest.approx(sample.delta / 2 + sample.epsilon + 0.01)


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_unusual_but_valid_replies_are_accepted(data: bytes) -> None:
    sample = parse(data)
    assert abs(sample.theta - (UTC - T1)) <= sample.bound(T4)


@pytest.mark.parametrize(("data", "code"), STRAY.values(), ids=STRAY.keys())
def test_a_datagram_that_answers_no_request_of_ours_is_stray(data: bytes, code: str) -> None:
    with pytest.raises(StrayError) as caught:
        parse(data)
    assert caught.value.code == code


@pytest.mark.parametrize(("data", "code"), REFUSED.values(), ids=REFUSED.keys())
def test_a_reply_that_breaks_a_rule_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(NoSampleError) as caught:
        parse(data)
    assert not isinstance(caught.value, StrayError)
    assert (caught.value.code, caught.value.kiss) == (code, None)


@pytest.mark.parametrize("name", KISSES)
def test_a_kiss_code_is_named(name: str) -> None:
    code = name[:4]
    with pytest.raises(NoSampleError, match=code) as caught:
        parse(KISSES[name][0])
    assert (caught.value.code, caught.value.kiss) == ("kiss", code)


@pytest.mark.parametrize("code", [b"\0\0\0\0", b"rate", b"RAT\n", b"\xff\xfe\xfd\xfc"])
def test_what_only_looks_like_a_kiss_code_is_never_quoted(code: bytes) -> None:
    with pytest.raises(NoSampleError) as caught:
        parse(kiss(code))
    assert (caught.value.code, caught.value.kiss) == ("leap", None)
    assert str(caught.value) == "the server says that its clock is not synchronised"


@settings(database=None, derandomize=True, max_examples=500)
@given(st.binary(min_size=48, max_size=48))
def test_no_random_datagram_is_a_sample(data: bytes) -> None:
    with pytest.raises(StrayError):
        parse(data)


@settings(database=None, derandomize=True, max_examples=500)
@given(st.binary(min_size=24, max_size=24), st.binary(min_size=16, max_size=16))
def test_random_fields_behind_our_own_cookie_raise_nothing_else(head: bytes, tail: bytes) -> None:
    with contextlib.suppress(NoSampleError):
        assert 0 < parse(head + COOKIE + tail).bound(T4) < 1


ROLLOVER = 2**32 - 2_208_988_800  # 2036-02-07T06:28:16Z


@pytest.mark.parametrize("utc", [UTC, ROLLOVER - 0.05, ROLLOVER - 0.03, ROLLOVER + 1, 4e9])
@pytest.mark.parametrize("wall_error", [0.0, -3600.0, 20 * 365 * 86400.0])
def test_a_reply_of_any_era_is_understood(utc: float, wall_error: float) -> None:
    sample = parse(stamps(utc + 0.02, utc + 0.08), near=utc + wall_error)
    assert sample.theta == pytest.approx(utc - T1, abs=2e-6)


def test_a_host_that_believes_in_1970_still_finds_the_era() -> None:
    in_2040 = ROLLOVER + 4 * 365 * 86400.0  # 70 years from 1970: that alone would tell 1904
    sample = parse(stamps(in_2040, in_2040), near=0.0)
    assert sample.theta == pytest.approx(in_2040 - T1, abs=0.1)


@settings(database=None, derandomize=True)
@given(st.floats(1.74e9, 2e10), st.floats(-2.1e9, 2.1e9))
def test_unwrapping_finds_the_time_closest_to_the_estimate(utc: float, error: float) -> None:
    ntp = (utc + 2_208_988_800) % 2**32
    near = max(utc + error, 1.74e9)
    assert unwrapped(ntp, near) == pytest.approx(utc, abs=1e-4)
