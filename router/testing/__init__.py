"""Peers for tests, ours and yours: loopback regions that break on demand, and servers beside them.

Rule: these are real servers on 127.0.0.1 at ports that the system chooses; what they do can be
      changed while they run, and what they saw can be counted.

The faults are in `router.testing.faults`, ready-made answers in `router.testing.replies`.
"""

from router.testing import faults, replies
from router.testing.certificates import Certificates
from router.testing.clock import FakeClock
from router.testing.ntp import NtpServer
from router.testing.oauth import TokenServer
from router.testing.port import ScriptedPort
from router.testing.proxy import Proxy
from router.testing.redis_server import RedisServer
from router.testing.regions import Received, Region, Regions, Reply

__all__ = [
    "Certificates",
    "FakeClock",
    "NtpServer",
    "Proxy",
    "Received",
    "RedisServer",
    "Region",
    "Regions",
    "Reply",
    "ScriptedPort",
    "TokenServer",
    "faults",
    "replies",
]
