"""The faults that a Region or a Proxy can have, all in one place.

    regions["near"].fault = Refuse()         # holds from now on
    regions["near"].fault = None             # heals, at once
    proxy.fault = Times(Reset(), 3)          # the first three requests only

| fault | what the client sees |
|---|---|
| `Refuse(reset_open=True)` | connection refused; open connections are reset |
| `HangConnect(silence_open=True)` | connects hang; open connections go silent |
| `HangHandshake()` | connected, then nothing: TLS hangs |
| `CloseHandshake(reset=False)` | closed or reset after its ClientHello |
| `OtherCertificate(context)` | a certificate it does not trust (Regions with TLS) |
| `Silent(executed=False)` | connected, request sent, never an answer |
| `Reset(at_byte=0, in_body=False, executed=True)` | ECONNRESET in place of, or in, the answer |
| `Cut(at_byte=0, in_body=False, executed=True)` | the end in place of, or in, the answer |
| `Drip(every, size=1, in_body=False)` | a byte at a time |
| `Slow(bytes_per_second)` | a slow answer |
| `Delay(seconds)` | a late answer |
| `Stall(seconds, share, seed=0)` | a share of the answers late |
| `Garbage(data=…, executed=True)` | no HTTP |
| `FloodOf1xx(status=103, every=0.001, executed=False)` | interim answers without end |
| `CloseIdle(after=0.0)` | idle connections are closed, unannounced |
| `StaleKeepAlive(reset=False)` | the second request of a connection meets its close |
| `Sometimes(fault, share, seed=0)` | the fault, for a share of requests or connections |
| `Times(fault, count)` | the fault, for the first few |

Rule: `executed` says whether the server gets the request; a Region that did not get it does not
      have it in `received`, while `requests` counts it.
"""

from __future__ import annotations

from router.testing.answer_faults import (
    CloseIdle,
    Cut,
    Delay,
    Drip,
    FloodOf1xx,
    Garbage,
    Reset,
    Silent,
    Slow,
    StaleKeepAlive,
)
from router.testing.chances import Sometimes, Stall, Times
from router.testing.connect_faults import (
    CloseHandshake,
    HangConnect,
    HangHandshake,
    OtherCertificate,
    Refuse,
)
from router.testing.fault import Fault

__all__ = [
    "CloseHandshake",
    "CloseIdle",
    "Cut",
    "Delay",
    "Drip",
    "Fault",
    "FloodOf1xx",
    "Garbage",
    "HangConnect",
    "HangHandshake",
    "OtherCertificate",
    "Refuse",
    "Reset",
    "Silent",
    "Slow",
    "Sometimes",
    "StaleKeepAlive",
    "Stall",
    "Times",
]
