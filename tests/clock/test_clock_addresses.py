"""Which addresses of a server are asked, and in what order."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from router.clock.exchange import _interleaved, _outcome, query
from router.clock.host import boottime
from router.clock.names import Address
from router.clock.ntp import NoSampleError, Sample
from router.config.settings import ClockSettings
from router.hosts import parse_server
from router.testing.ntp import NtpServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from router.testing.ntp import Script


def ask(server: str, *, timeout: float = 1.0) -> Sample:
    return asyncio.run(query(server, near=time.time(), timeout=timeout))


def refusal(server: str, *, timeout: float = 0.1) -> NoSampleError:
    with pytest.raises(NoSampleError) as caught:
        ask(server, timeout=timeout)
    return caught.value


def silence(*_: object) -> tuple[bytes, ...]:
    return ()


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


WRITTEN = [
    ("time.example.net", ("time.example.net", 123)),
    ("ntp.example.net:1123", ("ntp.example.net", 1123)),
    ("192.0.2.1", ("192.0.2.1", 123)),
    ("192.0.2.1:65535", ("192.0.2.1", 65535)),
    ("::1", ("::1", 123)),
    ("2001:db8::123", ("2001:db8::123", 123)),
    ("[::1]", ("::1", 123)),
    ("[::1]:1123", ("::1", 1123)),
]
MISWRITTEN = [
    "",
    " ",
    ":123",
    "host:",
    "host:0",
    "host:65536",
    "host:port",
    "host:-1",
    "a b",
    "[::1",
    "[::1]123",
    "[host]:123",
    "[]:123",
    "a:b:c",
    "ntp://host",
    "user@host",
    "host\n",
    "ntp\x1b[2J.example.net",
    "ntp.example.net\u202egro",
    "ntp\u200b.example.net",
    "fe80::1%\x1b",
    "[fe80::1%\u202e]:123",
]


@pytest.mark.parametrize(("text", "expected"), WRITTEN)
def test_a_server_is_a_host_and_perhaps_a_port(text: str, expected: tuple[str, int]) -> None:
    assert parse_server(text) == expected


@pytest.mark.parametrize("text", MISWRITTEN)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="is a host such as"):
        parse_server(text)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["127.0.0.1:9", "127.0.0.1:09"], ["127.0.0.1:9"]),
        (["ntp.example.net", "NTP.example.net.", "ntp.example.net:123"], ["ntp.example.net"]),
        (["b.example.", "a.example", "b.example"], ["b.example.", "a.example"]),
        (["::1", "[::1]", "[0:0::1]:0123"], ["::1"]),
        (["a.example:123", "a.example:124"], ["a.example:123", "a.example:124"]),
    ],
)
def test_a_server_counts_once_however_it_is_written(written: list[str], kept: list[str]) -> None:
    assert ClockSettings(servers=tuple(written)).servers == tuple(kept)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Return the list of what every name resolves to, for the test to fill."""
    addresses: list[tuple[object, ...]] = []

    def look_up(*_: object, **__: object) -> list[tuple[object, ...]]:
        return addresses

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return addresses


def entry(where: object, *, family: int = socket.AF_INET) -> tuple[object, ...]:
    return family, socket.SOCK_DGRAM, 17, "", where


@pytest.mark.parametrize("dead", ["refused", "silent"])
def test_the_second_family_is_tried_when_the_first_gives_no_answer(
    found: list[tuple[object, ...]], dead: str
) -> None:
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    with six, NtpServer(delay=0.05) as server:
        six.bind(("::1", 0))
        where = six.getsockname()
        if dead == "refused":
            six.close()
        found.append(entry(where, family=socket.AF_INET6))
        found.append(entry(parse_server(server.address)))
        assert ask("two.example", timeout=0.6).delta < 0.3
        assert server.requests == 1


def test_every_address_of_a_name_is_tried(found: list[tuple[object, ...]]) -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(NtpServer(script=silence)) for _ in range(4)]
        good = stack.enter_context(NtpServer())
        found.extend(entry(parse_server(server.address)) for server in [*silent, good])
        sample = ask("many.example", timeout=1.0)
        assert [server.requests for server in [*silent, good]] == [1] * 5
    assert abs(sample.theta - (time.time() - boottime())) <= sample.bound(boottime()) + 0.001


def test_an_address_that_refuses_us_costs_no_time(found: list[tuple[object, ...]]) -> None:
    with NtpServer() as good:
        found.extend(entry(("127.0.0.1", closed_port())) for _ in range(3))
        found.append(entry(parse_server(good.address)))
        began = time.monotonic()
        ask("many.example", timeout=60.0)
    assert time.monotonic() - began < 30  # not one time limit after the other


def test_a_slow_address_is_still_heard_after_the_next_was_asked(
    found: list[tuple[object, ...]],
) -> None:
    with NtpServer(delay=0.3) as slow, NtpServer(script=silence) as silent:
        found.extend(entry(parse_server(server.address)) for server in (slow, silent))
        assert ask("two.example", timeout=0.6).delta > 0.25
        assert (slow.requests, silent.requests) == (1, 1)


def test_the_first_valid_reply_wins_and_no_further_address_is_asked(
    found: list[tuple[object, ...]],
) -> None:
    with NtpServer() as first, NtpServer() as second:
        found.extend(entry(parse_server(server.address)) for server in (first, second))
        ask("two.example")
        assert (first.requests, second.requests) == (1, 0)


def test_an_unsynchronised_address_makes_way_for_the_next(found: list[tuple[object, ...]]) -> None:
    with NtpServer(leap=3) as first, NtpServer() as second:
        found.extend(entry(parse_server(server.address)) for server in (first, second))
        ask("two.example")
        assert (first.requests, second.requests) == (1, 1)


def test_what_a_server_said_is_told_rather_than_that_others_were_silent(
    found: list[tuple[object, ...]],
) -> None:
    with NtpServer(stratum=16) as first, NtpServer(script=silence) as second:
        found.extend(entry(parse_server(server.address)) for server in (first, second))
        assert refusal("two.example").code == "stratum"


def test_a_kiss_code_from_one_address_is_not_appealed_to_the_others(
    found: list[tuple[object, ...]],
) -> None:
    deny: Script = lambda _, r: (bytes([0xE4, 0]) + r[2:12] + b"DENY" + r[16:],)  # noqa: E731
    with NtpServer(script=deny) as first, NtpServer() as second:
        found.extend(entry(parse_server(server.address)) for server in (first, second))
        assert refusal("two.example", timeout=5.0).kiss == "DENY"
        assert (first.requests, second.requests) == (1, 0)


def test_a_kiss_code_outweighs_a_sample_that_came_at_the_same_time() -> None:
    async def sampled() -> Sample:
        return Sample(theta=0.0, delta=0.0, epsilon=0.0, taken=0.0)

    async def kissed() -> Sample:
        raise NoSampleError("kiss", "the server sends the kiss code RATE", kiss="RATE")

    async def judge() -> None:
        tasks = {asyncio.create_task(sampled()), asyncio.create_task(kissed())}
        done, _ = await asyncio.wait(tasks)
        _outcome(done, NoSampleError("name", "no address"))

    with pytest.raises(NoSampleError, match="RATE"):
        asyncio.run(judge())


def test_a_name_without_addresses_is_told_in_words(found: list[tuple[object, ...]]) -> None:
    assert not found
    assert str(refusal("nowhere.example")) == "nowhere.example has no address"


FOUR = [(4, n) for n in range(6)]
SIX = [(6, n) for n in range(6)]
ORDERS = [
    ([], []),
    (FOUR[:2], FOUR[:2]),
    (SIX[:2] + FOUR[:2], [SIX[0], FOUR[0], SIX[1], FOUR[1]]),
    (FOUR[:1] + SIX[:3], [FOUR[0], SIX[0], SIX[1], SIX[2]]),
    (FOUR[:2] * 2, FOUR[:2]),
    (SIX + FOUR, [address for pair in zip(SIX[:4], FOUR[:4], strict=True) for address in pair]),
]


@pytest.mark.parametrize(("system", "asked"), ORDERS)
def test_addresses_are_asked_family_by_family_in_turn_and_eight_at_most(
    system: list[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    def made(addresses: Iterable[tuple[int, int]]) -> list[Address]:
        return [Address(family, ("host", number)) for family, number in addresses]

    assert _interleaved(made(system)) == made(asked)
