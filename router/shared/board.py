"""A board in Redis on which processes post short lines, and read what is new.

Rule 1: a reader says what it has seen and gets only what came later; mostly that is nothing.
Rule 2: a line has an end, and is wiped after it. Ages and ends are lengths of time, never instants
        of somebody's clock.
Rule 3: what is read is foreign: whoever reads a line checks it. What is no line of ours, or a long
        one, is wiped away, and so is a board of more lines than a fleet has to tell.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from router.shared.scripts import NOW
from router.shared.store import PATIENCE, Script, StoreError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from router.shared.store import Store

__all__ = ["Board", "Line", "keep_exchanging"]

EVERY = 0.25
MICRO = 1e6
MOST_CHARACTERS = 1000

POST = Script(
    NOW
    + """
if redis.call('HLEN', KEYS[1]) > 20000 then redis.call('DEL', KEYS[1]) end  -- it would stop all
local seen, version = tonumber(ARGV[1]), tonumber(redis.call('HGET', KEYS[1], '') or '0') or 0
if not (version <= now) then version = now end  -- the clock was set back, or it is NaN
for i = 2, #ARGV, 3 do
  version = math.max(version + 1, now)
  local till = string.format('%.0f', now + ARGV[i + 2])
  local head = string.format('%.0f', version) .. ' ' .. string.format('%.0f', now) .. ' ' .. till
  redis.call('HSET', KEYS[1], ARGV[i], head .. ' ' .. ARGV[i + 1])
end
if #ARGV > 1 then
  redis.call('HSET', KEYS[1], '', string.format('%.0f', version))
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
local news = {string.format('%.0f', version)}
if version == seen then return news end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local posted, at, till, line = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (.*)$')
  local fits = posted and #posted + #at + #till < 60 and #all[i] + #line < 4000
  if all[i] ~= '' then
    if not fits or tonumber(till) < now then
      redis.call('HDEL', KEYS[1], all[i])
    elseif tonumber(posted) > seen then
      table.insert(news, all[i])
      table.insert(news, line)
      table.insert(news, string.format('%.0f', now - at))
      table.insert(news, string.format('%.0f', till - now))
    end
  end
end
return news
"""
)


@dataclass(frozen=True, slots=True)
class Line:
    """What is posted under a heading: `age` seconds ago, valid for `left` seconds more."""

    heading: str
    text: str
    age: float
    left: float


class Board:
    """One board; used on the background loop."""

    def __init__(self, store: Store, key: str) -> None:
        self._store = store
        self._key = key
        self._seen = "0"

    async def exchange(self, lines: Sequence[tuple[str, str, float]] = ()) -> list[Line]:
        """Post (heading, text, seconds valid) and return what is new, one's own included.

        Raises:
            StoreError: nothing was posted, or that is not known.
        """
        args: list[str | float] = [self._seen]
        for heading, text, left in lines:
            args += [heading, text[:MOST_CHARACTERS], left * MICRO]
        answer = await self._store.call(POST, [self._key], args, timeout=PATIENCE)
        words = [word.decode(errors="replace") for word in answer]
        self._seen = words[0]
        return [
            Line(heading, text, int(age) / MICRO, int(left) / MICRO)
            for heading, text, age, left in zip(*[iter(words[1:])] * 4, strict=True)
        ]


async def keep_exchanging(exchange: Callable[[], Awaitable[None]]) -> None:
    """Exchange again and again until cancelled; a time in vain is nobody's trouble."""
    while True:
        with contextlib.suppress(StoreError):
            await exchange()
        await asyncio.sleep(EVERY)
