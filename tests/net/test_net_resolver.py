"""Names to addresses: no error while an address is known, and no wait without an end."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from net_peers import KINDS, NAME, Asker, Peer, entries, timeouts

from router.net.connect import found_async
from router.net.lookup import Lookup
from router.net.resolver import FRESH, KEPT, MOST_LOOKUPS, Resolver
from router.testing import FakeClock

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.net.addresses import Address

HERE = entries(("127.0.0.1", 80))
THERE = entries(("127.0.0.2", 80))
UNKNOWN = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
WITHIN = 5.0


class Answers:
    """A lookup that answers as it is told, after `gate` is open."""

    def __init__(self, *steps: Any) -> None:
        self.steps = list(steps)
        self.asked: list[str] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, host: str, _: int) -> list[Any]:
        self.asked.append(host)
        self.gate.wait(WITHIN)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, Exception):
            raise step
        return list(step)


def first(resolver: Resolver, host: str = NAME) -> tuple[Address, ...]:
    flight = resolver.ask(host, 80)
    assert isinstance(flight, Lookup)
    assert flight.wait(WITHIN)
    return flight.result()


def at_once(resolver: Resolver, host: str = NAME) -> list[str]:
    known = resolver.ask(host, 80)
    assert not isinstance(known, Lookup)
    return [address.place[0] for address in known]


def until(true: Callable[[], bool]) -> None:
    ends = time.monotonic() + WITHIN
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.001)


def test_a_known_name_is_not_looked_up_while_it_is_fresh() -> None:
    clock, lookup = FakeClock(), Answers(HERE)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    clock.advance(FRESH - 0.1)
    assert at_once(resolver) == ["127.0.0.1"]
    assert len(lookup.asked) == 1


def test_then_it_serves_at_once_while_one_lookup_runs_behind() -> None:
    clock, lookup = FakeClock(), Answers(HERE, THERE)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    clock.advance(FRESH)
    lookup.gate.clear()
    assert [at_once(resolver) for _ in range(5)] == [["127.0.0.1"]] * 5
    lookup.gate.set()
    until(lambda: at_once(resolver) == ["127.0.0.2"])
    assert len(lookup.asked) == 2


@pytest.mark.parametrize(
    "trouble", [UNKNOWN, [], UnicodeError("label too long"), ValueError("odd")]
)
def test_what_is_known_serves_for_a_day_of_failing_lookups(trouble: Any) -> None:
    clock, lookup = FakeClock(), Answers(HERE, trouble)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    for asked in range(2, 20):
        clock.advance(KEPT / 20)
        assert at_once(resolver) == ["127.0.0.1"]
        until(lambda: len(lookup.asked) == asked and not resolver._flights)  # noqa: B023
    clock.advance(KEPT / 5)
    with pytest.raises(OSError, match=r"known|long|odd"):
        first(resolver)


def test_a_lookup_that_hangs_for_a_day_is_asked_once() -> None:
    clock, lookup = FakeClock(), Answers(HERE)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    lookup.gate.clear()
    for _ in range(100):
        clock.advance(KEPT / 200)
        assert at_once(resolver) == ["127.0.0.1"]
    assert len(lookup.asked) <= 2
    lookup.gate.set()


def test_a_name_that_fails_is_looked_up_again_a_while_later() -> None:
    clock, lookup = FakeClock(), Answers(HERE, UNKNOWN, THERE)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    clock.advance(FRESH)
    at_once(resolver)
    until(lambda: len(lookup.asked) == 2 and not resolver._flights)
    at_once(resolver)
    assert not resolver._flights
    clock.advance(FRESH / 2)
    until(lambda: at_once(resolver) == ["127.0.0.2"])


def test_addresses_that_accept_nothing_are_looked_up_again_soon() -> None:
    clock, lookup = FakeClock(), Answers(HERE, THERE)
    resolver = Resolver(lookup=lookup, now=clock)
    first(resolver)
    with pytest.raises(ConnectionRefusedError), resolver.trying(NAME, 80):
        raise ConnectionRefusedError
    at_once(resolver)
    assert len(lookup.asked) == 1
    clock.advance(FRESH / 3)
    until(lambda: at_once(resolver) == ["127.0.0.2"])


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_spelled_out_address_is_not_looked_up(host: str) -> None:
    lookup = Answers(HERE)
    assert at_once(Resolver(lookup=lookup), host) == [host]
    assert not lookup.asked


def test_many_ask_for_one_name_and_one_lookup_runs() -> None:
    lookup = Answers(HERE)
    lookup.gate.clear()
    resolver = Resolver(lookup=lookup)
    flights = {resolver.ask(NAME, 80) for _ in range(100)}
    lookup.gate.set()
    assert len(flights) == 1
    assert first(resolver) if resolver._flights else at_once(resolver)
    assert lookup.asked == [NAME]


def test_lookups_are_bounded_and_the_rest_wait_their_turn() -> None:
    lookup = Answers(HERE)
    lookup.gate.clear()
    resolver = Resolver(lookup=lookup, names=20)
    flights = [resolver.ask(f"n{n}.test", 80) for n in range(60)]
    until(lambda: len(lookup.asked) == MOST_LOOKUPS)
    landed = [flight for flight in flights if isinstance(flight, Lookup) and flight.wait(0)]
    assert len(landed) >= 60 - MOST_LOOKUPS - 20
    with pytest.raises(OSError, match="too many names"):
        landed[0].result()
    lookup.gate.set()
    for flight in flights:
        assert isinstance(flight, Lookup)
        assert flight.wait(WITHIN)
    until(lambda: resolver._lookups == 0)
    assert len(lookup.asked) <= 20 + 2 * MOST_LOOKUPS
    assert len(resolver._known) == 20


def test_a_fork_leaves_the_lookups_to_the_parent() -> None:
    lookup = Answers(HERE)
    lookup.gate.clear()
    resolver = Resolver(lookup=lookup)
    for number in range(MOST_LOOKUPS):
        resolver.ask(f"n{number}.test", 80)
    child = Resolver(lookup=Answers(THERE))
    child.__dict__.update(resolver.__dict__, _lookup=child._lookup)
    child.reset_after_fork()
    assert first(child)
    lookup.gate.set()


def test_a_waiter_that_is_cancelled_leaves_nothing_and_the_lookup_goes_on() -> None:
    lookup = Answers(HERE)
    lookup.gate.clear()
    resolver = Resolver(lookup=lookup)

    async def main() -> list[Any]:
        tasks = [
            asyncio.create_task(found_async(resolver, NAME, 80, None, None)) for _ in range(20)
        ]
        await asyncio.sleep(0.01)
        for task in tasks[1:]:
            task.cancel()
        await asyncio.gather(*tasks[1:], return_exceptions=True)
        flight = resolver.ask(NAME, 80)
        assert isinstance(flight, Lookup)
        assert len(flight._listeners) == 1
        lookup.gate.set()
        return [address.place for address in await tasks[0]]

    assert asyncio.run(main()) == [("127.0.0.1", 80)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("trouble", [UNKNOWN, []])
def test_a_name_without_an_address_is_a_connect_error(kind: str, trouble: Any) -> None:
    with (
        Asker(kind, lookup=Answers(trouble)) as asker,
        pytest.raises(asker.core.ConnectError, match="Name or service not known"),
    ):
        asker.ask(80, host=NAME)


@pytest.mark.parametrize("kind", KINDS)
def test_a_lookup_that_hangs_is_awaited_no_longer_than_the_connect_timeout(kind: str) -> None:
    lookup = Answers(HERE)
    lookup.gate.clear()
    began = time.monotonic()
    with Asker(kind, lookup=lookup) as asker:
        with pytest.raises(asker.core.ConnectTimeout, match="name was not looked up in time"):
            asker.ask(80, timeouts(5.0, connect=0.2), host=NAME)
        assert time.monotonic() - began < 2.0
        lookup.gate.set()


@pytest.mark.parametrize("kind", KINDS)
def test_while_lookups_hang_fail_or_find_nothing_requests_are_answered(kind: str) -> None:
    def closing(sock: socket.socket) -> None:
        sock.recv(65536)
        sock.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")

    with Peer(closing) as peer:
        clock, lookup = (
            FakeClock(),
            Answers(entries(("127.0.0.1", peer.port)), UNKNOWN, [], UNKNOWN),
        )
        with Asker(kind, lookup=lookup, now=clock) as asker:
            for _ in range(10):
                assert asker.ask(peer.port, timeouts(2.0), host=NAME) == b"ok"
                clock.advance(FRESH)
            lookup.gate.clear()
            for _ in range(10):
                assert asker.ask(peer.port, timeouts(2.0), host=NAME) == b"ok"
                clock.advance(FRESH)
            lookup.gate.set()


def no_thread(_: object) -> None:
    raise RuntimeError("can't start new thread")


def test_where_no_thread_is_left_a_lookup_fails_and_the_next_one_does_not() -> None:
    resolver = Resolver(lookup=Answers(HERE), now=FakeClock())
    for _ in range(MOST_LOOKUPS + 1):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading.Thread, "start", no_thread)
            flight = resolver.ask(NAME, 80)
        assert isinstance(flight, Lookup)
        assert flight.wait(WITHIN)
        with pytest.raises(OSError, match="no thread left"):
            flight.result()
    assert [address.place[0] for address in first(resolver)] == ["127.0.0.1"]
