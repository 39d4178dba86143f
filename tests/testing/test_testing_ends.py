"""When a Regions or a Proxy ends, nothing of it is left: no thread, no socket, no warning."""

from __future__ import annotations

import gc
import threading
from contextlib import ExitStack
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


def open_files() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
@pytest.mark.parametrize("proxied", [False, True])
def test_nothing_is_left_when_it_ends_under_a_fault(fault: Fault | None, *, proxied: bool) -> None:
    files, threads = open_files(), threading.active_count()
    with ExitStack() as stack:
        regions = stack.enter_context(Regions(near=0.0))
        near = regions["near"]
        peer = stack.enter_context(Proxy(near.host, near.port)) if proxied else near
        before = stack.enter_context(connect(peer))
        ask(before, wait=0.02)
        peer.fault = fault
        try:
            during = stack.enter_context(connect(peer, 0.05))
            during.sendall(GET)
        except OSError:
            pass
    assert threading.active_count() == threads
    assert open_files() == files


def test_nothing_is_left_of_tls_and_its_broken_handshakes() -> None:
    certificates = Certificates()
    context = certificates.client_context()
    certificates.good("near.test")
    files, threads = open_files(), threading.active_count()
    with Regions(certificates, near=0.0) as regions, ExitStack() as stack:
        near = regions["near"]
        raw = [stack.enter_context(connect(near)) for _ in range(3)]
        secure = context.wrap_socket(raw[0], server_hostname="near.test")
        stack.enter_context(secure)
        near.respond = always(oversized(2**30))
        secure.sendall(GET)
        raw[1].sendall(b"\x16\x03\x01")  # the beginning of a hello
    assert threading.active_count() == threads
    assert open_files() == files


def test_a_regions_that_was_never_entered_leaves_nothing_running() -> None:
    threads = threading.active_count()
    regions = Regions(near=0.0)
    regions["near"].fault = Refuse()  # holds from the start
    with regions, pytest.raises(ConnectionRefusedError):
        connect(regions["near"])
    assert threading.active_count() == threads


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
