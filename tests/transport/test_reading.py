"""Answers read by aiohttp's parser beside the same answers read by h11, the core's own."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import h11
import httpcore
import pytest

from router.wires.aiohttp import Reading

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    CHUNKED + b"3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 2\r\n\r\nno",
    b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
    b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nX: a\r\n b\r\nContent-Length: 1\r\n\r\nx",
]
ALPHABET = b"\r\n\t :;,0123456789abcdefHTTP/1.\0\xffxX-+_()\"'"
TRIES = 4000
SWITCHES = 101


class Seen(NamedTuple):
    """What was made of an answer's bytes up to the end of its connection."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


def ours(parts: list[bytes]) -> Seen | None:
    """Read as the wire does; None: it is no answer."""
    reading, body = Reading(httpcore, "GET"), b""
    try:
        left = iter([*parts, b""])
        while not reading.take(next(left)):
            pass
        while (data := reading.body()) != b"":
            if data is None:
                reading.feed(next(left))
            else:
                body += data
    except httpcore.RemoteProtocolError:
        return None
    message = reading.message
    return Seen(message.code, [(n.lower(), v) for n, v in message.raw_headers], body)


def theirs(parts: list[bytes]) -> Seen | None:
    """Read as the core does."""
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    left, seen, body = iter([*parts, b""]), None, b""
    while True:
        try:
            event: Any = connection.next_event()
        except h11.RemoteProtocolError:
            return None
        if event is h11.NEED_DATA:
            connection.receive_data(next(left))
        elif isinstance(event, h11.Response):
            seen = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            assert seen is not None
            return Seen(seen.status_code, list(seen.headers), body)
        elif not isinstance(event, h11.InformationalResponse):
            return None


def mutated(chance: random.Random) -> bytes:
    """Return an answer with a few bytes changed, left out or put in."""
    answer = bytearray(chance.choice(ANSWERS))
    for _ in range(chance.randint(0, 3)):
        place = chance.randrange(len(answer))
        match chance.randrange(4):
            case 0:
                answer[place] = chance.choice(ALPHABET)
            case 1:
                del answer[place]
            case 2:
                answer.insert(place, chance.choice(ALPHABET))
            case _:
                answer[place:place] = answer[place : place + chance.randint(1, 20)]
    return bytes(answer)


def split(answer: bytes, chance: random.Random) -> list[bytes]:
    """Return the answer in parts."""
    cuts = sorted(chance.choices(range(1, len(answer)), k=chance.randint(0, 6)))
    return [answer[a:b] for a, b in zip([0, *cuts], [*cuts, len(answer)], strict=True) if a < b]


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_reads_what_the_core_reads(answer: bytes) -> None:
    assert ours([answer]) == theirs([answer]) is not None


@pytest.mark.parametrize("answer", ANSWERS)
def test_it_does_not_matter_how_an_answer_is_cut(answer: bytes) -> None:
    whole = ours([answer])
    for cut in range(1, len(answer)):
        assert ours([answer[:cut], answer[cut:]]) == whole
    assert ours([bytes([byte]) for byte in answer]) == whole


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_is_read_alike_however_it_is_cut_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(TRIES // 8):
        answer = mutated(chance)
        whole = ours([answer])
        assert ours(split(answer, chance)) == whole, answer
        core = theirs([answer])
        if whole is not None and whole.status != SWITCHES:  # which the wire asks about
            assert core is not None, answer
            assert (whole.status, whole.body) == (core.status, core.body), answer


@pytest.mark.parametrize("digits", [21, 4301, 90_000])
def test_a_length_of_endless_digits_is_no_length(digits: int) -> None:
    length = b"5".rjust(digits, b"0")
    assert ours([b"HTTP/1.1 200 OK\r\nContent-Length: " + length + b"\r\n\r\nhello"]) is None
