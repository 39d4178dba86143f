"""Replies that RFC 5905 tells a client not to believe, each one change away from an honest one.

The honest reply answers REQUEST, whose cookie is COOKIE, at UTC; so do all of these. STRAY lists
those that do not prove that they answer it, REFUSED those that do and break a rule, KISSES the
kiss-of-death packets; beside each stands the code of the rule.
"""

from __future__ import annotations

import struct

from router.clock.ntp import make_request
from router.testing.ntp import make_reply

__all__ = ["ACCEPTED", "COOKIE", "HONEST", "KISSES", "REFUSED", "REQUEST", "STRAY", "UTC"]
__all__ += ["kiss", "stamps"]

COOKIE = bytes(range(1, 9))
REQUEST, _ = make_request(lambda _: COOKIE)
UTC = 1_800_000_000.0
HONEST = make_reply(REQUEST, received=UTC + 0.04, sent=UTC + 0.06)


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
    "a kiss code, but with a stratum": put(12, b"DENY"),
}
STRAY = {
    "empty": (b"", "length"),
    "one byte": (HONEST[:1], "length"),
    "a byte short": (HONEST[:47], "length"),
    "a byte long": (HONEST + b"\0", "length"),
    "with an extension": (HONEST + bytes(20), "length"),
    "with a key we do not share": (HONEST + bytes(24), "length"),
    "twice in one datagram": (HONEST * 2, "length"),
    "as long as a datagram can be": (HONEST + bytes(60_000), "length"),
    **{f"version {v}": (first(version=v), "version") for v in (0, 1, 2, 5, 6, 7)},
    **{f"mode {m}": (first(mode=m), "mode") for m in (0, 1, 2, 3, 5, 6, 7)},
    "our own request back": (REQUEST, "mode"),
    "origin zero": (put(24, bytes(8)), "origin"),
    "origin of another request": (put(24, b"otherone"), "origin"),
    "origin with its first bit turned": (put(24, bytes([COOKIE[0] ^ 128])), "origin"),
    "origin with its last bit turned": (put(31, bytes([COOKIE[7] ^ 1])), "origin"),
    "origin and transmit exchanged": (put(24, HONEST[40:] + HONEST[32:40] + COOKIE), "origin"),
    "a forged DENY": (put(24, bytes(8), kiss(b"DENY")), "origin"),
    "a forged RATE": (put(24, bytes(8), kiss(b"RATE")), "origin"),
    "text": (b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n.", "version"),
    "all ones": (b"\xff" * 48, "version"),
    "all zeros": (bytes(48), "version"),
}
REFUSED = {
    "stratum 0": (put(1, b"\0", put(12, bytes(4))), "stratum"),
    "stratum 0 and half a kiss code": (put(1, b"\0", put(12, b"RAT\0")), "stratum"),
    "stratum 16": (put(1, b"\x10"), "stratum"),
    "stratum 17": (put(1, b"\x11"), "stratum"),
    "stratum 255": (put(1, b"\xff"), "stratum"),
    "leap alarm": (first(leap=3), "leap"),
    "leap alarm of version 3": (first(leap=3, version=3), "leap"),
    "receive zero": (put(32, bytes(8)), "stamps"),
    "transmit zero": (put(40, bytes(8)), "stamps"),
    "both zero": (put(32, bytes(16)), "stamps"),
    "sent before received": (stamps(UTC + 0.06, UTC + 0.04), "order"),
    "sent a tick before received": (stamps(UTC, UTC - 1e-6), "order"),
    "held longer than we waited": (stamps(UTC, UTC + 5), "delay"),
    "held a little longer than we waited": (stamps(UTC, UTC + 0.102), "delay"),
    "set in its own future": (put(16, HONEST[40:42] + b"\xff\xff" + bytes(4)), "reference"),
    "set years ahead of itself": (put(16, stamps(UTC + 1e8, UTC)[32:40]), "reference"),
    "in the year 2000": (stamps(946_684_800.0, 946_684_800.0), "past"),
    "a minute before this program": (stamps(1_735_689_540.0, 1_735_689_540.0), "past"),
    "root delay of a second": (put(4, short(1)), "distance"),
    "root dispersion of half a second": (put(8, short(0.5)), "distance"),
    "root dispersion of hours": (put(8, b"\xff\xff\xff\xff"), "distance"),
    "root delay below zero": (put(4, b"\xff\xff\x00\x00"), "distance"),
    "root distance just over": (put(4, short(0.4) + short(0.201)), "distance"),
    "a clock that ticks once a second": (put(3, b"\0"), "distance"),
    "a clock that ticks once in an age": (put(3, b"\x7f"), "distance"),
}
# Those of RFC 5905 and of NTS, and one that somebody made up.
CODES = (
    *("ACST", "AUTH", "AUTO", "BCST", "CRYP", "DENY", "DROP", "RSTR", "INIT"),
    *("MCST", "NKEY", "RATE", "RMOT", "STEP", "NTSN", "XTRA"),
)
KISSES = {
    **{code: (kiss(code.encode()), "kiss") for code in CODES},
    "RATE with good times": (put(1, b"\0", put(12, b"RATE")), "kiss"),
}
