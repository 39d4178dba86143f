"""Damaged databases, and files that change under the reader.

Each runs in a child process: a C reader that meets damage, or a mapping of a shortened file, ends
the process by a signal, and that has to be seen rather than suffered.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from geo_samples import CHECKOUT, DEMO

if TYPE_CHECKING:
    from pathlib import Path

LOOK_UP = """
import ipaddress, random, sys, threading, time
from pathlib import Path
from router.errors import GeoError
from router.geo.database import Database
from router.geo import Locator

good = Path(sys.argv[1]).read_bytes()
path = Path(sys.argv[2])
addresses = [ipaddress.ip_address(text) for text in (
    "81.2.69.142", "192.0.2.1", "192.0.2.40", "192.0.2.200", "198.51.100.5", "198.51.100.99",
    "198.51.100.200", "203.0.113.1", "203.0.113.50", "203.0.113.120", "2001:db8:1::1",
    "2001:db8:5::1", "2001:db8:6::1", "89.160.20.113", "216.160.83.57", "175.16.199.4",
    "67.43.156.9", "8.8.8.8", "255.255.255.255", "ffff::1",
)]
counts = {"opened": 0, "refused": 0, "answers": 0, "errors": 0}

def look_up(damaged):
    path.write_bytes(damaged)
    try:
        database = Database(path)
    except GeoError:
        counts["refused"] += 1
        return
    counts["opened"] += 1
    for address in addresses:
        try:
            database.find(address)
            counts["answers"] += 1
        except GeoError:
            counts["errors"] += 1
"""

FLIPS = """
for seed in range(2500):
    chance = random.Random(seed)
    damaged = bytearray(good)
    for _ in range(chance.choice((1, 1, 1, 5, 40))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    look_up(damaged)
print(counts)
assert min(counts.values()) > 100
"""

EVERY_BIT_OF_THE_METADATA = """
start = good.rfind(b"MaxMind.com") + 11
for at in range(start, len(good)):
    for bit in range(8):
        damaged = bytearray(good)
        damaged[at] ^= 1 << bit
        look_up(damaged)
print(counts)
assert counts["opened"] and counts["refused"]
"""

CUTS = """
for length in range(0, len(good), 3):
    look_up(good[:length])
    look_up(good[length:])
print(counts)
assert counts["refused"] > 2000
"""

CHANGES = """
path.write_bytes(good)
place = Locator.open(path).lookup("81.2.69.142")
now = iter(range(10**12))
locator = Locator.open(path, clock=lambda: next(now) * 3600.0)  # so that nothing is remembered
stop = threading.Event()
wrong, done = [], []

def read():
    count = 0
    while not stop.is_set():
        try:
            if locator.lookup("81.2.69.142") != place:
                wrong.append("another answer")
        except BaseException as error:
            wrong.append(repr(error))
        count += 1
    done.append(count)

threads = [threading.Thread(target=read) for _ in range(8)]
for thread in threads:
    thread.start()
for round in range(40):
    with path.open("r+b") as file:
        file.truncate(round * 100 % 2000)       # in place: kills whoever has it mapped
    other = path.with_suffix(".new")
    other.write_bytes(good[round:] if round % 2 else good)
    other.replace(path)
    path.write_bytes(b"")
    Locator(path).lookup("81.2.69.142")         # opened while it is bad: a warning at most
    path.write_bytes(good)
    time.sleep(0.005)
stop.set()
for thread in threads:
    thread.join()
print(done, wrong[:3])
assert not wrong and len(done) == 8 and min(done) > 0
"""


@pytest.mark.parametrize(
    "story",
    [FLIPS, EVERY_BIT_OF_THE_METADATA, CUTS, CHANGES],
    ids=["flipped bits", "every bit of the metadata", "cut anywhere", "changed while read"],
)
def test_damage_brings_a_geo_error_or_an_answer_and_never_ends_the_process(
    story: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOOK_UP + story, str(DEMO), f"{tmp_path}/x.mmdb"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )

    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-2000:]}"


def test_the_library_is_not_imported_before_a_database_is_opened() -> None:
    code = (
        "import sys, router.geo as geo\n"
        "geo.Locator(None).locate('8.8.8.8'); geo.resolve_here('aws:eu-central-1', None)\n"
        "print(sorted({'geoip2', 'maxminddb', 'aiohttp', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )

    assert done.stdout == "[]\n"
