"""One NTP exchange as arithmetic: the bytes of the request, the checks and the sample of a reply.

Rule 1: a reply counts only if it passes every check of RFC 5905 that a client can make. ntplib
        packs and unpacks; it checks nothing, so all checks stand here.
Rule 2: our clock never travels. The transmit stamp is 64 random bits; the server returns them as
        the origin stamp, and only that proves that a datagram answers our request. What fails the
        proof is stray (late, forged, foreign) and must not end anybody's wait.
Rule 3: t1 and t4 are seconds of the boot-time clock, so no step of the wall clock can reach a
        sample. `theta` is UTC (Unix seconds) minus boot time.
Rule 4: the true theta lies within `bound(now)` of `theta` if the server is honest, whatever the
        asymmetry of the path.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ntplib

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PHI", "NoSampleError", "Sample", "StrayError", "make_request", "parse_reply", "unwrap"]

PHI = 100e-6
"""How fast a bound grows, in s/s: with RFC 5905's 15 ppm only 79 % of the bounds held."""

SIZE = 48
ORIGIN = slice(24, 32)
RECEIVE = slice(32, 40)
TRANSMIT = slice(40, 48)
CLIENT, SERVER = 3, 4
VERSION, OLDEST_VERSION = 4, 3
ALARM = 3
LAST_STRATUM = 15
FARTHEST = 0.4
SLACK = 0.001
ERA = 2.0**32
RELEASED = 1_735_689_600.0  # 2025-01-01: no reply is older, even if the host believes in 1970
ZERO = bytes(8)
KISS = re.compile(rb"[A-Z]{4}")


class NoSampleError(Exception):
    """An exchange that brought no sample; it never leaves `router.clock`.

    Attributes:
        code: a word for the rule that was broken, such as `leap`, `timeout` or `kiss`.
        kiss: the server's kiss code, such as `RATE` or `DENY`.
    """

    def __init__(self, code: str, message: str, *, kiss: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.kiss = kiss


class StrayError(NoSampleError):
    """A datagram that does not answer our request: the answer may still come."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one exchange says about UTC; all in seconds, `taken` on the boot-time clock.

    Attributes:
        theta: UTC minus boot time.
        delta: the round trip without the server's own time.
        epsilon: what the server and both clocks may be off beyond half the round trip.
        taken: when the reply came.
        stratum: how many servers lie between it and a reference clock, itself counted; 0: not told.
    """

    theta: float
    delta: float
    epsilon: float
    taken: float
    stratum: int = 0

    def bound(self, now: float) -> float:
        """Return by how many seconds theta may be off at boot time `now`."""
        return self.delta / 2 + self.epsilon + PHI * (now - self.taken)

    def interval(self, now: float) -> tuple[float, float]:
        """Return the lowest and highest theta that the sample allows at boot time `now`."""
        bound = self.bound(now)
        return self.theta - bound, self.theta + bound


def make_request(entropy: Callable[[int], bytes] = os.urandom) -> tuple[bytes, bytes]:
    """Return a client packet of version 4, and the 8 random bytes that its reply must return."""
    cookie = entropy(8)
    packet: bytes = ntplib.NTPPacket(version=VERSION, mode=CLIENT).to_data()
    return packet[: TRANSMIT.start] + cookie, cookie


def unwrap(seconds: float, near: float) -> float:
    """Return Unix seconds of an NTP time of any era, the one closest to Unix time `near`."""
    unix = seconds - ntplib.NTP.NTP_DELTA
    estimate = max(near, RELEASED)
    return float(unix + ERA * round((estimate - unix) / ERA))


def parse_reply(
    data: bytes, *, expected_origin: bytes, t1: float, t4: float, near: float
) -> Sample:
    """Return the sample of a reply that was asked for at t1 and came at t4 (boot time).

    Args:
        data: the datagram.
        expected_origin: the random bytes of the request.
        t1: boot time just before the request was sent.
        t4: boot time just after the reply was received.
        near: Unix time, right to 68 years, that tells the era.

    Raises:
        StrayError: it does not answer this request.
        NoSampleError: it does, and breaks another rule or is a kiss of death.
    """
    _prove(data, expected_origin)
    reply = ntplib.NTPStats()
    reply.from_data(data)
    _check_standing(reply, data)
    _check_stamps(reply, data, near)
    reply.orig_timestamp, reply.dest_timestamp = t1, t4
    grain = 2.0**reply.precision
    if reply.delay < -(grain + SLACK):
        raise NoSampleError("delay", "the server claims to have held the request longer than we")
    epsilon = reply.root_delay / 2 + reply.root_dispersion + grain + SLACK + PHI * (t4 - t1)
    return Sample(
        theta=reply.offset,
        delta=max(reply.delay, grain),
        epsilon=epsilon,
        taken=t4,
        stratum=reply.stratum,
    )


def _prove(data: bytes, expected_origin: bytes) -> None:
    if len(data) != SIZE:  # we send no extension and no key, so none comes back
        raise StrayError("length", f"a reply of {len(data)} bytes in place of {SIZE}")
    version, mode = data[0] >> 3 & 7, data[0] & 7
    if not OLDEST_VERSION <= version <= VERSION:
        raise StrayError("version", f"a reply of version {version}")
    if mode != SERVER:
        raise StrayError("mode", f"a reply of mode {mode}, which is not a server's")
    if data[ORIGIN] != expected_origin:
        raise StrayError("origin", "a reply to another request, or a forged one")


def _check_standing(reply: ntplib.NTPStats, data: bytes) -> None:
    """Refuse a server that says itself, or whose figures say, that it is no source of time."""
    if reply.stratum == 0 and KISS.fullmatch(data, 12, 16):
        kiss = data[12:16].decode("ascii")
        raise NoSampleError("kiss", f"the server sends the kiss code {kiss}", kiss=kiss)
    if reply.leap == ALARM:
        raise NoSampleError("leap", "the server says that its clock is not synchronised")
    if not 1 <= reply.stratum <= LAST_STRATUM:
        raise NoSampleError("stratum", f"the server has stratum {reply.stratum}: no source of time")
    distance = reply.root_delay / 2 + reply.root_dispersion + 2.0**reply.precision
    if distance > FARTHEST:
        raise NoSampleError("distance", f"the server itself is only sure to {distance:.3g} s")


def _check_stamps(reply: ntplib.NTPStats, data: bytes, near: float) -> None:
    """Put the stamps into Unix seconds, and refuse those that are missing or out of order."""
    if ZERO in (data[RECEIVE], data[TRANSMIT]):
        raise NoSampleError("stamps", "the reply leaves out a time")
    reply.recv_timestamp = unwrap(reply.recv_timestamp, near)
    reply.tx_timestamp = unwrap(reply.tx_timestamp, near)
    if reply.recv_timestamp < RELEASED:
        raise NoSampleError("past", "the server believes in a time before this program was written")
    if reply.tx_timestamp < reply.recv_timestamp:
        raise NoSampleError("order", "the reply was sent before the request was received")
    if reply.ref_timestamp and unwrap(reply.ref_timestamp, near) > reply.tx_timestamp:
        raise NoSampleError("reference", "the server was last set in its own future")
