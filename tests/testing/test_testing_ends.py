"""When a Regions or a Proxy ends, nothing of it is left: no thread, no socket, no warning."""

from __future__ import annotations

import gc
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from raw_clients import GET, ask, connect

from router.testing import Certificates, Proxy, Regions
from router.testing.faults import (
    CloseHandshake,
    CloseIdle,
    Cut,
    Delay,
    Drip,
    Fault,
    FloodOf1xx,
    HangConnect,
    HangHandshake,
    Refuse,
    Reset,
    Silent,
    Slow,
    StaleKeepAlive,
)
from router.testing.replies import always, oversized

FAULTS: list[Fault | None] = [
    None,
    CloseHandshake(),
    CloseIdle(),
    Cut(),
    Delay(30.0),
    Drip(0.01),
    FloodOf1xx(),
    HangConnect(),
    HangHandshake(),
    Refuse(),
    Reset(),
    Silent(),
    Silent(executed=True),
    Slow(100.0),
    StaleKeepAlive(),
]


def held() -> set[object]:
    """Return the threads and the open files of this process."""
    gc.collect()
    files: set[object] = set()
    for file in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the directory's own, which is closed by now
            files.add((file.name, file.readlink()))
    return files | set(threading.enumerate())


def assert_nothing_is_left(before: set[object]) -> None:
    """What an earlier test left behind may come and go meanwhile; what is ours would stay."""
    end = time.monotonic() + 5.0
    while (left := held() - before) and time.monotonic() < end:
        time.sleep(0.02)
    assert not left


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("proxied", [False, True])
def test_nothing_is_left_when_it_ends_under_a_fault(fault: Fault | None, *, proxied: bool) -> None:
    before = held()
    with ExitStack() as stack:
        regions = stack.enter_context(Regions(near=0.0))
        near = regions["near"]
        peer = stack.enter_context(Proxy(near.host, near.port)) if proxied else near
        earlier = stack.enter_context(connect(peer))
        ask(earlier, wait=0.02)
        peer.fault = fault
        try:
            during = stack.enter_context(connect(peer, 0.05))
            during.sendall(GET)
        except OSError:
            pass
    assert_nothing_is_left(before)


def test_nothing_is_left_of_tls_and_its_broken_handshakes() -> None:
    certificates = Certificates()
    context = certificates.client_context()
    certificates.good("near.test")
    before = held()
    with Regions(certificates, near=0.0) as regions, ExitStack() as stack:
        near = regions["near"]
        raw = [stack.enter_context(connect(near)) for _ in range(3)]
        secure = context.wrap_socket(raw[0], server_hostname="near.test")
        stack.enter_context(secure)
        near.respond = always(oversized(2**30))
        secure.sendall(GET)
        raw[1].sendall(b"\x16\x03\x01")  # the beginning of a hello
    assert_nothing_is_left(before)


def test_a_regions_that_was_never_entered_leaves_nothing_running() -> None:
    before = held()
    regions = Regions(near=0.0)
    regions["near"].fault = Refuse()  # holds from the start
    with regions, pytest.raises(ConnectionRefusedError):
        connect(regions["near"])
    assert_nothing_is_left(before)


def test_a_killed_region_may_have_faults_and_be_revived() -> None:
    with Regions(near=0.0) as regions:
        near = regions["near"]
        near.kill()
        near.fault = Silent()
        near.fault = None
        with pytest.raises(ConnectionRefusedError):
            connect(near)
        near.revive()
        with connect(near) as client:
            assert ask(client, wait=0.05).data


def test_the_port_stays_the_same_and_nobody_elses() -> None:
    with Regions(near=0.0) as regions:
        near, ports = regions["near"], set()
        for fault in (None, Refuse(), HangConnect(), None):
            near.fault = fault
            ports.add(near.port)
        assert len(ports) == 1
