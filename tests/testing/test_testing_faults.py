"""Every fault of an answer is what it says, on a raw socket, of a region and of a proxy."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

import pytest
from raw_clients import GET, POST, ask, connect

from router.testing import Proxy, Received, Region, Regions, Reply
from router.testing.faults import (
    CloseIdle,
    Cut,
    Delay,
    Drip,
    FloodOf1xx,
    Garbage,
    HangConnect,
    HangHandshake,
    Refuse,
    Reset,
    Silent,
    Slow,
    StaleKeepAlive,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from router.testing.faults import Fault
    from router.testing.peer import Peer

HEAD = b"HTTP/1.1 200 \r\nContent-Length: 10\r\n\r\n"
WHOLE = HEAD + b"0123456789"


class Stage(NamedTuple):
    """A server, and what stands before its clients: itself, or a proxy."""

    region: Region
    peer: Peer


@pytest.fixture(params=["region", "proxy"])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    with Regions(near=0.0) as regions:
        near = regions["near"]
        near.respond = answer
        if request.param == "region":
            yield Stage(near, near)
        else:
            with Proxy(near.host, near.port) as proxy:
                yield Stage(near, proxy)


def answer(_: Received) -> Reply:
    return Reply(body=b"0123456789")


def healed(stage: Stage) -> None:
    """Heal, and be answered at once on a new connection."""
    stage.peer.fault = None
    began = time.monotonic()
    with connect(stage.peer) as client:
        assert ask(client, wait=0.1).data == WHOLE
    assert time.monotonic() - began < 0.5


def test_without_a_fault_answers_pass_whole_and_the_connection_stays(stage: Stage) -> None:
    with connect(stage.peer) as client:
        for _ in range(3):
            assert ask(client, wait=0.1)[:2] == (WHOLE, "open")
    assert (stage.peer.connections, stage.peer.requests) == (1, 3)
    assert stage.peer.bytes_sent == 3 * len(WHOLE)
    assert stage.peer.bytes_received == 3 * len(GET)


def test_refuse_refuses_and_resets_what_is_open(stage: Stage) -> None:
    with connect(stage.peer) as client:
        ask(client, wait=0.1)
        stage.peer.fault = Refuse()
        with pytest.raises(ConnectionResetError):
            client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connect(stage.peer)
    healed(stage)


def test_refuse_may_leave_open_connections_alone(stage: Stage) -> None:
    with connect(stage.peer) as client:
        ask(client, wait=0.1)
        stage.peer.fault = Refuse(reset_open=False)
        with pytest.raises(ConnectionRefusedError):
            connect(stage.peer)
        assert ask(client, wait=0.1).data == WHOLE


def test_hang_connect_lets_no_connection_come_about(stage: Stage) -> None:
    stage.peer.fault = HangConnect()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            connect(stage.peer, 0.2)
    assert stage.peer.connections == 0
    healed(stage)
    assert stage.peer.connections == 1


def test_hang_connect_loses_what_open_connections_send_meanwhile(stage: Stage) -> None:
    with connect(stage.peer) as one, connect(stage.peer) as other:
        for client in (one, other):
            ask(client, wait=0.1)
        stage.peer.fault = HangConnect()
        assert ask(one)[:2] == (b"", "open")
        stage.peer.fault = None
        assert ask(other, wait=0.1).data == WHOLE  # it was idle meanwhile
    assert len(stage.region.received) == 3


def test_hang_connect_may_leave_open_connections_alone(stage: Stage) -> None:
    with connect(stage.peer) as client:
        ask(client, wait=0.1)
        stage.peer.fault = HangConnect(silence_open=False)
        assert ask(client, wait=0.1).data == WHOLE


def test_faults_of_the_listener_may_follow_each_other(stage: Stage) -> None:
    for _ in range(3):
        stage.peer.fault = HangConnect()
        stage.peer.fault = HangConnect()
        stage.peer.fault = Refuse()
        with pytest.raises(ConnectionRefusedError):
            connect(stage.peer)
    stage.peer.fault = HangConnect()
    healed(stage)
    assert stage.peer.connections == 1


@pytest.mark.parametrize(("fault", "executed"), [(Silent(), 0), (Silent(executed=True), 1)])
def test_silent_reads_and_never_answers(stage: Stage, fault: Fault, executed: int) -> None:
    stage.peer.fault = fault
    with connect(stage.peer) as client:
        assert ask(client, POST)[:2] == (b"", "open")
    assert len(stage.region.received) == executed
    assert stage.peer.requests == 1
    healed(stage)


BROKEN = [
    pytest.param(Reset(executed=False), b"", "rst", 0, id="reset before the server sees it"),
    pytest.param(Reset(), b"", "rst", 1, id="reset after the server did it"),
    pytest.param(Reset(at_byte=5), WHOLE[:5], "rst", 1, id="reset in the status line"),
    pytest.param(Reset(at_byte=25), WHOLE[:25], "rst", 1, id="reset in the headers"),
    pytest.param(Reset(in_body=True, at_byte=4), HEAD + b"0123", "rst", 1, id="reset in the body"),
    pytest.param(Cut(executed=False), b"", "fin", 0, id="end before the server sees it"),
    pytest.param(Cut(), b"", "fin", 1, id="end after the server did it"),
    pytest.param(Cut(at_byte=5), WHOLE[:5], "fin", 1, id="end in the status line"),
    pytest.param(Cut(at_byte=25), WHOLE[:25], "fin", 1, id="end in the headers"),
    pytest.param(Cut(in_body=True), HEAD, "fin", 1, id="end after the head"),
    pytest.param(Cut(in_body=True, at_byte=4), HEAD + b"0123", "fin", 1, id="end in the body"),
    pytest.param(Cut(at_byte=1000), WHOLE, "open", 1, id="end after an answer that is shorter"),
    pytest.param(Garbage(b"\0hm"), b"\0hm", "fin", 1, id="garbage"),
    pytest.param(Garbage(b"\0hm", executed=False), b"\0hm", "fin", 0, id="garbage, not executed"),
]


@pytest.mark.parametrize(("fault", "data", "end", "executed"), BROKEN)
def test_an_answer_is_broken_where_the_fault_says(
    stage: Stage, fault: Fault, data: bytes, end: str, executed: int
) -> None:
    stage.peer.fault = fault
    with connect(stage.peer) as client:
        assert ask(client, POST)[:2] == (data, end)
    assert len(stage.region.received) == executed
    assert stage.peer.requests == 1
    healed(stage)


def test_a_request_that_is_not_executed_is_read_in_full_first(stage: Stage) -> None:
    stage.peer.fault = Reset(executed=False)
    with connect(stage.peer) as client:
        assert ask(client, POST[:-2], wait=0.1)[:2] == (b"", "open")
        assert ask(client, POST[-2:])[:2] == (b"", "rst")
    assert not stage.region.received


def test_a_request_that_is_not_executed_has_no_answer_to_break() -> None:
    with pytest.raises(ValueError, match="no answer to break off"):
        Cut(executed=False, at_byte=1)


def test_drip_sends_a_byte_at_a_time_and_a_heal_sends_the_rest(stage: Stage) -> None:
    stage.peer.fault = Drip(every=0.05)
    with connect(stage.peer) as client:
        client.sendall(GET)
        for byte in WHOLE[:4]:
            assert client.recv(100) == bytes([byte])
        stage.peer.fault = None
        rest = ask(client, b"", wait=0.1)
        assert (WHOLE[:4] + rest.data)[-10:] == b"0123456789"
        assert rest.took < 0.5


def test_drip_in_the_body_lets_the_head_pass(stage: Stage) -> None:
    stage.peer.fault = Drip(every=0.02, size=3, in_body=True)
    with connect(stage.peer) as client:
        seen = ask(client, wait=0.2)
    assert seen.data == WHOLE
    assert seen.took > 0.2 + 3 * 0.02 - 0.005


def test_slow_keeps_to_its_bytes_a_second(stage: Stage) -> None:
    stage.peer.fault = Slow(bytes_per_second=200)
    with connect(stage.peer) as client:
        seen = ask(client, wait=0.2)
    assert seen.data == WHOLE
    assert 0.15 < seen.took - 0.2 < 0.6  # 48 bytes


def test_delay_is_before_the_first_byte_and_ends_with_a_heal(stage: Stage) -> None:
    stage.peer.fault = Delay(0.1)
    with connect(stage.peer) as client:
        client.sendall(GET)
        began = time.monotonic()
        client.recv(1)
        assert time.monotonic() - began > 0.09
        ask(client, b"", wait=0.1)
        stage.peer.fault = Delay(30.0)
        client.sendall(GET)
        time.sleep(0.05)
        stage.peer.fault = None
        assert client.recv(1) == b"H"


def test_a_flood_of_interim_answers_ends_with_a_heal(stage: Stage) -> None:
    stage.peer.fault = FloodOf1xx()
    with connect(stage.peer) as client:
        client.sendall(GET)
        until, seen = time.monotonic() + 0.2, b""
        while time.monotonic() < until:
            seen += client.recv(1000)
        assert seen.count(b"HTTP/1.1 103 Early Hints\r\n") > 10
        stage.peer.fault = None
        assert ask(client, b"").end == "fin"
    assert not stage.region.received
    healed(stage)


def test_idle_connections_are_closed_after_each_answer(stage: Stage) -> None:
    with connect(stage.peer) as before:
        ask(before, wait=0.1)
        stage.peer.fault = CloseIdle()
        assert before.recv(1) == b""  # it was idle already
    with connect(stage.peer) as client:
        seen = ask(client)
        assert seen[:2] == (WHOLE, "fin")
        assert b"close" not in seen.data
    healed(stage)


def test_idle_connections_may_have_a_while(stage: Stage) -> None:
    stage.peer.fault = CloseIdle(after=0.2)
    with connect(stage.peer) as client:
        for _ in range(3):
            assert ask(client, wait=0.1)[:2] == (WHOLE, "open")
        assert ask(client, b"", wait=0.4).end == "fin"


@pytest.mark.parametrize("reset", [False, True])
def test_the_second_request_of_a_connection_meets_its_close(stage: Stage, *, reset: bool) -> None:
    stage.peer.fault = StaleKeepAlive(reset=reset)
    with connect(stage.peer) as client:
        assert ask(client, wait=0.1)[:2] == (WHOLE, "open")
        assert ask(client, POST)[:2] == (b"", "rst" if reset else "fin")
    assert (len(stage.region.received), stage.peer.requests) == (1, 2)
    healed(stage)


def test_a_handshake_that_hangs_accepts_and_says_nothing(stage: Stage) -> None:
    stage.peer.fault = HangHandshake()
    with connect(stage.peer) as client:
        assert ask(client)[:2] == (b"", "open")
    assert (stage.peer.connections, stage.peer.requests) == (1, 0)
    healed(stage)


def test_open_connections_can_be_reset_in_the_middle_of_an_answer(stage: Stage) -> None:
    stage.peer.fault = Drip(every=0.02)
    with connect(stage.peer) as client:
        client.sendall(GET)
        client.recv(1)
        stage.peer.reset_connections()
        assert ask(client, b"").end == "rst"
    healed(stage)


def test_a_fault_may_be_set_by_the_server_itself() -> None:
    with Regions(near=0.0) as regions:
        near = regions["near"]

        def respond(request: Received) -> Reply:
            near.fault = Refuse(reset_open=False)
            return answer(request)

        near.respond = respond
        with connect(near) as client:
            assert ask(client, wait=0.1).data == WHOLE
        with pytest.raises(ConnectionRefusedError):
            connect(near)
