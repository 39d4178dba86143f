"""Asking servers: what ends the wait, what does not, and how long it can take."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from forged_replies import COOKIE, KISSES, REFUSED, STRAY, UTC

from router.clock.exchange import Answer, query, query_all
from router.clock.host import boottime
from router.clock.ntp import NoSampleError, Sample
from router.testing.ntp import NtpServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Have every look-up of a name hang until the test sets this."""
    over = threading.Event()
    look_up = socket.getaddrinfo

    def hang(host: str, port: int, *, type: int, flags: int = 0) -> object:  # noqa: A002 - its name
        if not flags & socket.AI_NUMERICHOST:
            over.wait(20)
        return look_up(host, port, type=type, flags=socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield over
    over.set()
    for thread in looking_up():
        thread.join(20)


def looking_up() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("router-name")]


def test_a_name_server_that_hangs_is_told_in_words(hanging: threading.Event) -> None:
    error = refusal("slow.example")  # its loop has ended as well, and did not wait
    assert (error.code, str(error)) == ("name", "the name slow.example was not resolved in time")
    assert [thread.daemon for thread in looking_up()] == [True]
    hanging.set()


def test_names_that_hang_keep_nobody_elses_look_ups_waiting(hanging: threading.Event) -> None:
    async def ask_many_with_one_executor_thread() -> tuple[list[Answer], str]:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(1))
        names = [f"slow{n}.example" for n in range(20)]
        asking = asyncio.create_task(query_all([*names, good.address], near=time.time()))
        async with asyncio.timeout(20):
            while len(looking_up()) < len(names):  # noqa: ASYNC110 - threads tell no event
                await asyncio.sleep(0.001)
            beside = await asyncio.to_thread(lambda: "not kept waiting")
        return await asking, beside

    with NtpServer() as good:
        answers, beside = asyncio.run(ask_many_with_one_executor_thread())
    assert beside == "not kept waiting"
    assert [bool(answer.sample) for answer in answers] == [False] * 20 + [True]
    assert not hanging.is_set()


def test_an_address_is_read_without_a_thread(hanging: threading.Event) -> None:
    with NtpServer() as server:
        ask(server.address)
    assert not looking_up()
    assert not hanging.is_set()


def test_where_no_thread_can_be_started_no_name_is_resolved(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert str(refusal("ntp.example")) == "the name ntp.example cannot be resolved"


def test_a_name_found_too_late_is_dropped(
    hanging: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    async def outlast() -> None:
        with pytest.raises(NoSampleError, match="was not resolved in time"):
            await query("slow.example", near=time.time(), timeout=0.05)
        hanging.set()
        while looking_up():  # noqa: ASYNC110 - threads tell no event
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)  # for what the thread handed over: the loop logs errors

    asyncio.run(asyncio.wait_for(outlast(), 20))
    assert not caplog.records


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
