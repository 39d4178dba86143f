"""Peers for tests, ours and yours: loopback regions, a token server, an NTP server, a fake clock.

Rule: these are real servers on 127.0.0.1 at ports that the system chooses; what they do can be
      changed while they run, and what they saw can be counted.
"""

from router.testing.clock import FakeClock
from router.testing.ntp import NtpServer
from router.testing.oauth import TokenServer
from router.testing.port import ScriptedPort
from router.testing.regions import Received, Region, Regions, Reply

__all__ = [
    "FakeClock",
    "NtpServer",
    "Received",
    "Region",
    "Regions",
    "Reply",
    "ScriptedPort",
    "TokenServer",
]
