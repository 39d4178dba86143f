"""What Redis does for the shared token: one process's turn at a time, told apart by a fence.

Rule 1: a fence is the server's time in microseconds, and higher each time: whoever was held up past
        its turn cannot put an older token over a newer one.
Rule 2: Redis sees ciphertext only.
"""

from __future__ import annotations

from router.shared.scripts import NOW
from router.shared.store import Script

__all__ = ["CLAIM", "FAIL", "KEEP", "RENEW"]

LATEST = "local LATEST = 9e15\n"
"""Microseconds since 1970, in the year 2255: a fence beyond it is none of ours, and a bit later one
more would change nothing."""

CLAIM = Script(
    NOW
    + LATEST
    + """
local state = redis.call('HMGET', KEYS[1], 'fence', 'until', 'sealed')
local fence, left = state[1] or '', (tonumber(state[2] or '0') or 0) - now
if not ((tonumber(fence) or 0) < LATEST) then fence = '' end
if fence ~= '' and fence ~= ARGV[1] and left > tonumber(ARGV[4]) then
  return {'token', fence, string.format('%.0f', left), state[3]}
end
local failed = redis.call('PTTL', KEYS[3])
if failed > 0 then return {'failed', '', failed, ''} end
local mine = math.max(now, (tonumber(fence) or 0) + 1)
local text = string.format('%.0f', mine)
if redis.call('SET', KEYS[2], ARGV[2] .. ' ' .. text, 'NX', 'PX', ARGV[3]) then
  return {'turn', text, fence, state[3] or ''}
end
local rest = redis.call('PTTL', KEYS[2])
if rest < 0 then redis.call('PEXPIRE', KEYS[2], ARGV[3]) end  -- not of ours: ours have an end
return {'wait', '', rest, ''}
"""
)
"""Returns a token other than the one that is not wanted, or a turn to fetch one, or a wait.

KEYS: state, lock, failure. ARGV: fence of the unwanted, holder, ms of a turn, µs that it has to
last.
"""

RENEW = Script(
    """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""
)
"""Prolongs a turn. KEYS: lock. ARGV: holder and fence, ms."""

KEEP = Script(
    NOW
    + LATEST
    + """
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
local before = tonumber(redis.call('HGET', KEYS[1], 'fence') or '0') or 0
if before < LATEST and tonumber(ARGV[2]) <= before then return 0 end
local till = string.format('%.0f', now + ARGV[4])
redis.call('HSET', KEYS[1], 'fence', ARGV[2], 'sealed', ARGV[3], 'until', till)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
redis.call('DEL', KEYS[3])
return 1
"""
)
"""Keeps a token unless a newer one is there. KEYS: state, lock, failure.

ARGV: holder and fence, fence, ciphertext, µs that the token lasts, ms to keep it.
"""

FAIL = Script(
    """
if redis.call('GET', KEYS[2]) == ARGV[1] then
  redis.call('DEL', KEYS[2])
  redis.call('SET', KEYS[3], '1', 'PX', ARGV[2])
end
return 1
"""
)
"""Ends a turn in vain. KEYS: state, lock, failure. ARGV: holder and fence, ms of rest."""
