"""NTP packets: an honest reply gives the right sample, everything else none."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.clock.ntp import PHI, NoSampleError, Sample, StrayError, make_request, parse_reply
from router.clock.ntp import unwrap as unwrapped
from router.testing.ntp import make_reply

COOKIE = bytes(range(1, 9))
REQUEST, _ = make_request(lambda _: COOKIE)
T1, T4 = 500.0, 500.1
UTC = 1_800_000_000.0
HONEST = make_reply(REQUEST, received=UTC + 0.04, sent=UTC + 0.06)


def parse(data: bytes, *, near: float = UTC, t4: float = T4) -> Sample:
    return parse_reply(data, expected_origin=COOKIE, t1=T1, t4=t4, near=near)


def put(offset: int, value: bytes, data: bytes = HONEST) -> bytes:
    """Return the reply with the bytes at `offset` replaced."""
    return data[:offset] + value + data[offset + len(value) :]


def first(*, leap: int = 0, version: int = 4, mode: int = 4) -> bytes:
    return put(0, bytes([leap << 6 | version << 3 | mode]))


def kiss(code: bytes) -> bytes:
    return put(0, bytes([3 << 6 | 4 << 3 | 4, 0]), put(12, code))


def short(seconds: float) -> bytes:
    return struct.pack("!I", int(seconds * 2**16))


def stamps(received: float, sent: float) -> bytes:
    return make_reply(REQUEST, received=received, sent=sent)


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
    assert sample.taken == T4
    assert sample.bound(T4 + 100) == pytest.approx(sample.delta / 2 + sample.epsilon + 0.01)


ACCEPTED = {
    "version 3": first(version=3),
    "a leap second is announced": first(leap=1),
    "a leap second is taken out": first(leap=2),
    "stratum 1": put(1, b"\x01"),
    "stratum 15": put(1, b"\x0f"),
    "no reference time": put(16, bytes(8)),
    "received and sent at once": stamps(UTC + 0.05, UTC + 0.05),
    "root distance at the limit": put(4, short(0.4) + short(0.19)),
    "a coarse clock": put(3, struct.pack("!b", -6)),
}


@pytest.mark.parametrize("data", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_unusual_but_valid_replies_are_accepted(data: bytes) -> None:
    sample = parse(data)
    assert abs(sample.theta - (UTC - T1)) <= sample.bound(T4)


STRAY = {
    "empty": (b"", "length"),
    "one byte": (HONEST[:1], "length"),
    "a byte short": (HONEST[:47], "length"),
    "a byte long": (HONEST + b"\0", "length"),
    "with an extension": (HONEST + bytes(20), "length"),
    "with a key we do not share": (HONEST + bytes(24), "length"),
    "twice in one datagram": (HONEST * 2, "length"),
    **{f"version {v}": (first(version=v), "version") for v in (0, 1, 2, 5, 6, 7)},
    **{f"mode {m}": (first(mode=m), "mode") for m in (0, 1, 2, 3, 5, 6, 7)},
    "our own request back": (REQUEST, "mode"),
    "origin zero": (put(24, bytes(8)), "origin"),
    "origin of another request": (put(24, b"otherone"), "origin"),
    "origin with its first bit turned": (put(24, bytes([COOKIE[0] ^ 128])), "origin"),
    "origin with its last bit turned": (put(31, bytes([COOKIE[7] ^ 1])), "origin"),
    "origin and transmit exchanged": (put(24, HONEST[40:] + HONEST[32:40] + COOKIE), "origin"),
    "a forged kiss": (put(24, bytes(8), kiss(b"DENY")), "origin"),
    "text": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n.", "version"),
    "all ones": (b"\xff" * 48, "version"),
    "all zeros": (bytes(48), "version"),
}
REFUSED = {
    "stratum 0": (put(1, b"\0", put(12, bytes(4))), "stratum"),
    "stratum 16": (put(1, b"\x10"), "stratum"),
    "stratum 17": (put(1, b"\x11"), "stratum"),
    "stratum 255": (put(1, b"\xff"), "stratum"),
    "leap alarm": (first(leap=3), "leap"),
    "receive zero": (put(32, bytes(8)), "stamps"),
    "transmit zero": (put(40, bytes(8)), "stamps"),
    "both zero": (put(32, bytes(16)), "stamps"),
    "sent before received": (stamps(UTC + 0.06, UTC + 0.04), "order"),
    "sent a tick before received": (stamps(UTC, UTC - 1e-6), "order"),
    "held longer than we waited": (stamps(UTC, UTC + 5), "delay"),
    "held a little longer than we waited": (stamps(UTC, UTC + 0.102), "delay"),
    "set in its own future": (put(16, HONEST[40:42] + b"\xff\xff" + bytes(4)), "reference"),
    "root delay of a second": (put(4, short(1)), "distance"),
    "root dispersion of half a second": (put(8, short(0.5)), "distance"),
    "root dispersion of hours": (put(8, b"\xff\xff\xff\xff"), "distance"),
    "root delay below zero": (put(4, b"\xff\xff\x00\x00"), "distance"),
    "root distance just over": (put(4, short(0.4) + short(0.201)), "distance"),
    "a clock that ticks once a second": (put(3, b"\0"), "distance"),
    "a clock that ticks once in an age": (put(3, b"\x7f"), "distance"),
}


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


@pytest.mark.parametrize("code", ["RATE", "DENY", "RSTR", "INIT", "STEP", "XTRA"])
def test_a_kiss_code_is_named(code: str) -> None:
    with pytest.raises(NoSampleError, match=code) as caught:
        parse(kiss(code.encode()))
    assert (caught.value.code, caught.value.kiss) == ("kiss", code)


@pytest.mark.parametrize("code", [b"\0\0\0\0", b"rate", b"RAT\n", b"\xff\xfe\xfd\xfc"])
def test_what_only_looks_like_a_kiss_code_is_never_quoted(code: bytes) -> None:
    with pytest.raises(NoSampleError) as caught:
        parse(kiss(code))
    assert (caught.value.code, caught.value.kiss) == ("stratum", None)


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
