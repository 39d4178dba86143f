"""Asking servers: what ends the wait, what does not, and how long it can take."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest
from forged_replies import COOKIE, KISSES, REFUSED, STRAY, UTC

from router.clock.exchange import Answer, query, query_all
from router.clock.host import boottime
from router.clock.ntp import NoSampleError, Sample
from router.testing.ntp import NtpServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from router.testing.ntp import Script


def ask(
    server: str,
    *,
    timeout: float = 1.0,
    near: float | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
) -> Sample:
    near = time.time() if near is None else near
    return asyncio.run(query(server, near=near, timeout=timeout, entropy=entropy))


def refusal(server: str, *, timeout: float = 0.1) -> NoSampleError:
    """Return the error of a query that must fail within its timeout."""
    began = time.monotonic()
    with pytest.raises(NoSampleError) as caught:
        ask(server, timeout=timeout)
    assert time.monotonic() - began < timeout + 1.0  # generous: this is about hanging, not speed
    return caught.value


def forged(reply: bytes) -> bytes:
    """Return a reply by someone who has not seen the request."""
    return reply[:24] + b"guessed!" + reply[32:]


@pytest.mark.parametrize("offset", [0.0, 2.0, -2.0, 3600.0])
def test_the_offset_of_a_server_is_measured_within_the_bound(offset: float) -> None:
    with NtpServer(offset=offset) as server:
        before = time.time() - boottime()
        sample = ask(server.address)
    assert abs(sample.theta - (before + offset)) <= sample.bound(boottime()) + 0.001
    assert server.requests == 1


def test_a_one_way_delay_is_covered_by_the_bound() -> None:
    with NtpServer(delay=0.1) as server:
        sample = ask(server.address)
    error = abs(sample.theta - (time.time() - boottime()))
    assert 0.04 < error < sample.bound(boottime())


STRAYS_FIRST: dict[str, Script] = {
    "a forgery first": lambda _, r: (forged(r), r),
    "a flood of forgeries first": lambda _, r: (*[forged(r)] * 50, r),
    "a forged DENY first": lambda _, r: (
        bytes([0xE4, 0]) + r[2:12] + b"DENY" + r[16:24] + bytes(24),
        r,
    ),
    "its request echoed first": lambda q, r: (q, r),
    "a truncated copy first": lambda _, r: (r[:47], r),
    "an empty datagram first": lambda _, r: (b"", r),
    "an oversized one first": lambda _, r: (r * 100, r),
    "the reply twice": lambda _, r: (r, r),
}


@pytest.mark.parametrize("script", STRAYS_FIRST.values(), ids=STRAYS_FIRST.keys())
def test_stray_datagrams_do_not_keep_the_answer_away(script: Script) -> None:
    with NtpServer(script=script) as server:
        sample = ask(server.address)
    assert abs(sample.theta - (time.time() - boottime())) <= sample.bound(boottime()) + 0.001


SILENT: dict[str, Script] = {
    "nothing": lambda *_: (),
    "forgeries only": lambda _, r: [forged(r)] * 20,
    "only its own request": lambda q, _: (q,),
    "one byte": lambda *_: (b"x",),
}


@pytest.mark.parametrize("script", SILENT.values(), ids=SILENT.keys())
def test_without_a_valid_answer_the_time_limit_ends_the_wait(script: Script) -> None:
    with NtpServer(script=script) as server:
        assert refusal(server.address).code == "timeout"


OVER_THE_WIRE = REFUSED | KISSES


@pytest.mark.parametrize(("data", "code"), OVER_THE_WIRE.values(), ids=OVER_THE_WIRE.keys())
def test_no_forged_reply_becomes_a_sample(data: bytes, code: str) -> None:
    assert forged_reply_refused(data).code == code


@pytest.mark.parametrize("data", [data for data, _ in STRAY.values()], ids=STRAY.keys())
def test_no_stray_reply_ends_the_wait_for_a_true_one(data: bytes) -> None:
    true, code = REFUSED["stratum 16"]
    assert forged_reply_refused(data, true).code == code


def forged_reply_refused(*datagrams: bytes) -> NoSampleError:
    """Return the error of a query that these answer."""
    with NtpServer(script=lambda *_: datagrams) as server, pytest.raises(NoSampleError) as caught:
        ask(server.address, timeout=20.0, near=UTC, entropy=lambda _: COOKIE)
    return caught.value


def test_a_late_reply_to_the_request_before_is_not_taken_for_this_one() -> None:
    kept: list[bytes] = []

    def late(_: bytes, reply: bytes) -> list[bytes]:
        kept.append(reply)
        return kept[:-1]

    with NtpServer(script=late) as server:
        assert refusal(server.address).code == "timeout"
        assert "a reply to another request" in str(refusal(server.address))


def test_a_flood_does_not_outlast_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    received = 0

    async def flooded(*_: object) -> bytes:
        nonlocal received
        received += 1
        assert received < 1_000_000, "the loop never came to its timers"
        return bytes(48)

    monkeypatch.setattr(asyncio.SelectorEventLoop, "sock_recv", flooded)
    with NtpServer(script=SILENT["nothing"]) as server:
        assert refusal(server.address, timeout=0.05).code == "timeout"


def test_the_reason_tells_what_came_in_place_of_an_answer() -> None:
    with NtpServer(script=SILENT["forgeries only"]) as server:
        assert "what came was a reply to another request" in str(refusal(server.address))


def test_a_kiss_code_ends_the_wait_at_once() -> None:
    with NtpServer(script=lambda _, r: (bytes([0xE4, 0]) + r[2:12] + b"RATE" + r[16:],)) as server:
        began = time.monotonic()
        assert refusal(server.address, timeout=20.0).kiss == "RATE"
    assert time.monotonic() - began < 10


def test_a_server_that_says_it_is_not_synchronised_is_believed_at_once() -> None:
    with NtpServer(leap=3) as server:
        assert refusal(server.address, timeout=20.0).code == "leap"
    with NtpServer(stratum=16) as server:
        assert refusal(server.address, timeout=20.0).code == "stratum"


def test_a_reply_from_another_port_is_never_heard() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked, NtpServer() as honest:
        asked.bind(("127.0.0.1", 0))

        def answer_by_another_door() -> None:
            request, client = asked.recvfrom(100)
            reply = next(iter(honest.script(request, honest.reply(request))))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.sendto(reply, client)

        thread = threading.Thread(target=answer_by_another_door)
        thread.start()
        error = refusal(f"127.0.0.1:{asked.getsockname()[1]}")
        thread.join()
    assert error.code == "timeout"


def closed_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_closed_port_is_told_in_words() -> None:
    error = refusal(f"127.0.0.1:{closed_port()}", timeout=5.0)
    assert error.code == "network"
    assert "refused" in str(error)


@pytest.mark.parametrize("name", ["host.invalid", "x" * 70 + ".example", "a..b"])
def test_a_name_that_cannot_be_resolved_is_told_in_words(name: str) -> None:
    error = refusal(name, timeout=5.0)
    assert error.code == "name"
    assert name in str(error)


def test_a_name_server_that_hangs_is_told_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", hang)
    error = refusal("slow.example")
    assert (error.code, str(error)) == ("name", "the name slow.example was not resolved in time")


def test_an_address_that_cannot_be_sent_to_is_told_in_words() -> None:
    assert refusal("255.255.255.255").code == "network"  # the system permits no broadcast


def test_a_round_lasts_as_long_as_its_slowest_server() -> None:
    heard: list[Answer] = []
    with NtpServer(script=SILENT["nothing"]) as silent, NtpServer() as good:
        servers = [silent.address] * 20 + [good.address, f"127.0.0.1:{closed_port()}"]
        began = time.monotonic()
        answers = asyncio.run(query_all(servers, near=time.time(), timeout=0.3, heard=heard.append))
    assert time.monotonic() - began < 4.0  # one after the other would take 6 s
    assert [answer.server for answer in answers] == servers
    assert [bool(answer.sample) for answer in answers] == [False] * 20 + [True, False]
    assert all(answer.reason for answer in answers if not answer.sample)
    assert {answer.server for answer in heard[:2]} == set(servers[20:])


def test_a_round_ends_for_all_at_once_however_long_each_may_take() -> None:
    with NtpServer(script=SILENT["nothing"]) as silent, NtpServer() as good:
        servers = [silent.address, good.address]
        answers = asyncio.run(query_all(servers, near=time.time(), timeout=600.0, within=0.1))
    assert [bool(answer.sample) for answer in answers] == [False, True]
    assert answers[0].reason == "no valid reply before the end of the round"
