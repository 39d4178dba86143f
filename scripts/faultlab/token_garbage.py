"""F17: a token server that answers with nonsense, and what is told of it.

Rule: whatever comes, it is a TokenError in the router's words; what was planted in the answer, the
      client's secret and the tokens are looked for in errors, tracebacks, logs and reports.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import time
import traceback
import zlib
from typing import TYPE_CHECKING, NamedTuple

import router
from faultlab.guarded import guarded, served
from faultlab.row import Row
from faultlab.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultlab.guarded import Guarded
    from faultlab.lab import Lab

__all__ = ["garbage"]

PLANTED = "planted-in-garbage"
PACE = 20.0
AFTER = 1.0
MARGIN = 0.1
DEEP = 60_000
HUGE = 1 << 20


def _answer(**fields: object) -> bytes:
    return json.dumps({"access_token": PLANTED, **fields}).encode()


FORMS: dict[str, bytes] = {
    "deep in an object": b'{"a": ' * (DEEP // 6),
    "huge": _answer(note="x" * HUGE),
    "compressed": zlib.compress(_answer()),
    "token with CR LF": _answer(access_token=f"{PLANTED}\r\nX-Injected: 1"),
    "expires_in infinite": _answer(expires_in=float("inf")),
    "not UTF-8": b'{"access_token": "\xff\xfe"}',
    "HTML": f"<html>{PLANTED}".encode(),
    "deep": b"[" * DEEP,
    "half": _answer(expires_in=60)[:-5],
    "empty": b"",
    "a list": json.dumps([PLANTED]).encode(),
    "no token": json.dumps({"id_token": PLANTED}).encode(),
    "token a number": _answer(access_token=1, note=PLANTED),
    "token null": _answer(access_token=None, note=PLANTED),
    "token_type mac": _answer(token_type="mac"),  # noqa: S106 - no secret
    "expires_in a word": _answer(expires_in=PLANTED),
    "expires_in a list": _answer(expires_in=[60]),
    "expires_in NaN": _answer(expires_in=float("nan")),
    "refresh_token a number": _answer(refresh_token=1),
}
FIRST = 6
"""Forms in the quick form of the row."""


class Told(NamedTuple):
    """What was seen of one form of nonsense, in shares of one."""

    form: str
    served: float
    typed: float
    leaks: int


class Logged(logging.Handler):
    """Keeps every line that anybody logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line, with its traceback."""
        self.lines.append(logging.Formatter("%(message)s").format(record))


@contextlib.contextmanager
def logged() -> Iterator[Logged]:
    """Listen to all loggers, at every level."""
    handler, root = Logged(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


async def garbage(lab: Lab) -> list[Row]:
    """F17: the first token is good, and all that follows is nonsense of one form."""
    if lab.peer is not None:
        return []
    forms = list(FORMS)[: FIRST if lab.quick else None]
    with logged() as log:
        told = await asyncio.gather(*(_lived(lab, form, log) for form in forms))
    count = len(forms)
    return [
        _row(
            "the old token serves to its end", count, [one.form for one in told if one.served < 1]
        ),
        _row("then only TokenError", count, [one.form for one in told if one.typed < 1]),
        _row("no secret is told", count, [one.form for one in told if one.leaks]),
    ]


def _row(asked: str, count: int, missed: list[str]) -> Row:
    words = f", not: {', '.join(missed)}" if missed else ""
    seen = f"{count - len(missed)} of {count} forms{words}"
    return Row("F17 garbage", asked, seen, not missed)


async def _lived(lab: Lab, form: str, log: Logged) -> Told:
    life = lab.seconds(10, 2)
    async with guarded(lab, World(a=0.002), lifetime=life) as world:
        began = time.monotonic()
        await world.stage.send("GET", 1)
        world.server.raw = FORMS[form]
        if form == "compressed":
            world.server.headers = {"Content-Encoding": "deflate"}
        done = await world.stage.send("GET", round((life + AFTER) * PACE), rate=PACE)
        words = await asyncio.to_thread(_words, world)
        tokens = world.tokens
    before = [one for one in done if one.at + one.took < began + life]
    after = [one for one in done if one.at > began + life + MARGIN]
    typed = sum(one.error == "TokenError" for one in after)
    secrets = {PLANTED, world.server.client_secret, _basic(world), *tokens} - {""}
    leaks = sum(secret in text for secret in secrets for text in [words, *log.lines])
    return Told(form, served(before) / len(before), typed / len(after), leaks)


def _words(world: Guarded) -> str:
    """Return all that is told of a request that fails, and of the router."""
    shared = world.stage.shared
    told = [repr(shared), repr(shared.config), repr(shared.snapshot()), repr(world.told())]
    try:
        router.Client(shared).get("/")
    except router.TokenError as error:
        told += [repr(error), *traceback.format_exception(error)]
    return "\n".join(told)


def _basic(world: Guarded) -> str:
    pair = f"{world.server.client_id}:{world.server.client_secret}"
    return base64.b64encode(pair.encode()).decode()
