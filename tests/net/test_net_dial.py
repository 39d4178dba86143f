"""Of several addresses, the first that accepts wins, and one that leads nowhere costs little."""

from __future__ import annotations

import asyncio
import gc
import socket
import time
from typing import TYPE_CHECKING, Any

import httpcore
import pytest
from net_peers import KINDS, NAME, Asker, Peer, black_hole, entries, open_sockets, timeouts

from router.net.addresses import DOUBTED_FOR, Address, Doubts, addresses, interleaved
from router.net.blocking import BlockingBackend
from router.net.resolver import Resolver
from router.net.suspending import SuspendingBackend
from router.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = ("127.0.0.9", 1)
SHORTLY = 0.5


def leading(*places: tuple[str, int]) -> Callable[[str, int], list[Any]]:
    return lambda _, __: entries(*places)


def timed(asker: Asker) -> float:
    began = time.monotonic()
    assert asker.ask(80, timeouts(5.0), host=NAME) == b"ok"
    return time.monotonic() - began


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_address_is_tried_shortly_after_and_first_the_next_time(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.net.dial.STAGGER", SHORTLY)
    with Peer() as peer, black_hole("127.0.0.2", peer.port):
        lookup = leading(("127.0.0.2", peer.port), ("127.0.0.1", peer.port))
        for first_time in (True, False):
            with Asker(kind, lookup=lookup) as asker:
                asker.resolver.doubts = doubts = Doubts(time.monotonic)
                if not first_time:
                    doubts.add(addresses(lookup(NAME, 80))[0])
                took = timed(asker)
                assert (took > SHORTLY * 0.9) is first_time
                assert took < 4 * SHORTLY
                assert len(doubts._until) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_after_a_refusal_the_next_address_is_tried_at_once(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("router.net.dial.STAGGER", 4.0)
    with Peer() as peer, Asker(kind, lookup=leading(NOBODY, ("127.0.0.1", peer.port))) as asker:
        assert timed(asker) < 2.0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("places", "words"),
    [
        ((NOBODY,), "Connection refused"),
        ((NOBODY, ("127.0.0.8", 1)), "Connection refused"),
        ((NOBODY, ("255.255.255.255", 1)), "All connection attempts failed"),
    ],
)
def test_where_no_address_accepts_the_error_says_why(
    kind: str, places: tuple[tuple[str, int], ...], words: str
) -> None:
    with (
        Asker(kind, lookup=leading(*places)) as asker,
        pytest.raises(asker.core.ConnectError, match=words),
    ):
        asker.ask(80, host=NAME)


@pytest.mark.parametrize("kind", KINDS)
def test_all_of_many_dead_addresses_share_one_connect_timeout(kind: str) -> None:
    with black_hole("127.0.0.2") as port, black_hole("127.0.0.3", port):
        places = [(f"127.0.0.{last}", port) for last in (2, 3)]
        before = open_sockets()
        with Asker(kind, lookup=leading(*places)) as asker:
            began = time.monotonic()
            with pytest.raises(asker.core.ConnectTimeout):
                asker.ask(80, timeouts(9.0, connect=0.4), host=NAME)
            assert time.monotonic() - began < 2.0
            assert len(asker.resolver.doubts._until) == 2
        gc.collect()
        assert open_sockets() == before


def test_families_take_turns() -> None:
    four = [Address(socket.AF_INET, 1, 6, (f"10.0.0.{n}", 1)) for n in range(3)]
    six = [Address(socket.AF_INET6, 1, 6, (f"fd00::{n}", 1)) for n in range(2)]
    assert interleaved([*six, *four]) == [six[0], four[0], six[1], four[1], four[2]]
    assert interleaved(four) == four


def test_a_doubted_address_stands_behind_for_a_while() -> None:
    clock = FakeClock()
    one, other = addresses(entries(("10.0.0.1", 1), ("10.0.0.2", 1)))
    doubts = Doubts(clock)
    doubts.add(one)
    assert doubts.ordered([one, other]) == [other, one]
    doubts.add(other)
    assert doubts.ordered([one, other]) == [one, other]
    doubts.clear(other)
    assert doubts.ordered([one, other]) == [other, one]
    clock.advance(DOUBTED_FOR)
    assert doubts.ordered([one, other]) == [one, other]
    for number in range(5000):
        doubts.add(Address(2, 1, 6, ("10.0.0.1", number)))
    assert len(doubts._until) <= 1024


def told(stream: Any) -> dict[str, Any]:
    infos = ("client_addr", "server_addr", "ssl_object", "socket", "is_readable", "other")
    return {info: stream.get_extra_info(info) for info in infos}


def check(said: dict[str, Any], peer: Peer) -> None:
    assert said["server_addr"] == ("127.0.0.1", peer.port)
    assert said["client_addr"][0] == "127.0.0.5"
    assert (said["ssl_object"], said["is_readable"], said["other"]) == (None, False, None)
    for level, option in (
        (socket.IPPROTO_TCP, socket.TCP_NODELAY),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
        (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    ):
        assert said["socket"].getsockopt(level, option)


def test_a_connection_tells_of_itself() -> None:
    option = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
    asked: Any = {"timeout": 2.0, "local_address": "127.0.0.5", "socket_options": option}
    resolver = Resolver()

    async def suspending() -> None:
        backend = SuspendingBackend(httpcore, resolver)
        stream = await backend.connect_tcp("127.0.0.1", peer.port, **asked)
        check(told(stream), peer)
        await stream.aclose()
        assert stream.get_extra_info("is_readable")
        await backend.sleep(0)

    with Peer() as peer:
        backend = BlockingBackend(httpcore, resolver)
        stream = backend.connect_tcp("127.0.0.1", peer.port, **asked)
        check(told(stream), peer)
        stream.close()
        assert stream.get_extra_info("is_readable")
        backend.sleep(0)
        asyncio.run(suspending())
