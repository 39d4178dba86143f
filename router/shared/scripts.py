"""The programs that Redis runs, each atomic, each by the server's own TIME.

Rule 1: no process's clock comes in: what a process says is a length of time, and what it hears is
        how long from now. So clocks that differ by hours change nothing.
Rule 2: times are whole microseconds since 1970, which a double holds exactly.
Rule 3: a holder that falls silent is forgotten after the lease, though the server's clock be set
        back meanwhile.
Rule 4: what a key holds is foreign, and may be there without the key beside it: what is no number
        is not counted, and who has no lease holds nothing.
"""

from __future__ import annotations

from router.shared.store import Script

__all__ = ["CLAIM_TURN", "HELLO", "LOOK", "NOW", "PERMITS", "RATE"]

NOW = "local t = redis.call('TIME') local now = t[1] * 1000000 + t[2]\n"
SET_BACK = """
local function set_back(key, lease)  -- who was there when the clock was set back has a lease left
  local latest = now + 10 * lease
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', latest),
      '+inf', 'LIMIT', 0, 1000)) do
    redis.call('ZADD', key, now + lease, member)
  end
end
"""

RATE = Script(
    NOW
    + """
local interval, burst, ahead = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local holder, want, lump = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local change, known, hungry_for = tonumber(ARGV[7]), ARGV[8] == '1', tonumber(ARGV[9])
local tat = tonumber(redis.call('GET', KEYS[1]) or '')
if tat ~= tat then tat = nil end  -- NaN: nobody would ever be granted anything
local idle = tonumber(redis.call('GET', KEYS[5]) or '') or 0
if not (idle > 0) then idle = 0 end
local debt = tonumber(ARGV[15]) * interval
local paid = math.min(debt, idle)  -- it was spent when the rate had room for it
local function keep(lapse)
  if lapse > math.max(idle - paid, burst * interval) then
    redis.call('SET', KEYS[5], string.format('%.0f', lapse), 'PX', 5000)
  end
end
if not tat then  -- forgotten: full for a newcomer, empty for who has spent of it
  tat = known and now + burst * interval or 0
  redis.call('SET', KEYS[5], '1e15', 'PX', 5000)  -- whatever was spent, nobody can tell any more
else
  if paid > 0 then redis.call('SET', KEYS[5], string.format('%.0f', idle - paid), 'KEEPTTL') end
  local most = math.max(tat + change * interval, now) + 2 * burst * interval
  tat = math.min(tat + change * interval + debt - paid, most)
  if debt > 0 then  -- others have spent too, and have yet to tell: no burst for now
    keep(now - tat)
    tat = math.max(tat, now + burst * interval)
  end
end
tat = math.min(tat, now + ahead + 4 * burst * interval)  -- a server's clock may be set back
local size, held_due, anew = tonumber(ARGV[10]), now + ARGV[11], 0
if size > 0 then  -- units that are due much later: are they due earlier now?
  local without = tat - size * interval
  if math.max(without, now) + (size - burst) * interval < held_due - 1000 then
    tat, lump, want, anew = without, size, 0, 1
  end
end
local had, had_until, hold = tonumber(ARGV[12]), now + ARGV[13], tonumber(ARGV[14])
local due = math.max(tat, now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if want + lump > 0 then
  redis.call('ZADD', KEYS[2], now + hungry_for, holder)
else
  redis.call('ZREM', KEYS[2], holder)
end
redis.call('PEXPIRE', KEYS[2], math.ceil(hungry_for / 1000) + 1000)
local others = math.max(1, redis.call('ZCARD', KEYS[2]))
local room = math.floor((now + ahead - due) / interval + burst + 0.001)
local granted, first, wait = 0, 0, 0
if room >= 1 and lump > 0 then
  granted, first = lump, due + (lump - burst) * interval
elseif room >= 1 and want > 0 then
  granted = math.min(want, math.max(1, math.floor(room / others)))
  first = due + (1 - burst) * interval
end
if granted > 0 then
  if tat > 0 then keep(now - tat) end
  tat = due + granted * interval
elseif want + lump > 0 then
  wait = due + (1 - burst) * interval - ahead - now
end
local left = math.ceil(math.max(0, tat - now) / 1000) + 60000
if tat > 0 then redis.call('SET', KEYS[1], string.format('%.3f', tat), 'PX', left) end
if anew == 1 then had = had - size end
if granted > 0 then had_until = math.max(had_until, tat - burst * interval + hold, now + hold) end
local function there(key, type)  -- another's value is left alone
  local is = redis.call('TYPE', key).ok
  return is == type or is == 'none'
end
if there(KEYS[3], 'zset') and there(KEYS[4], 'hash') then
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now)) do
    redis.call('HDEL', KEYS[4], gone)
    redis.call('ZREM', KEYS[3], gone)
  end
  if had + granted > 0 then
    redis.call('HSET', KEYS[4], holder, had + granted)
    redis.call('ZADD', KEYS[3], had_until, holder)
  else
    redis.call('HDEL', KEYS[4], holder)
    redis.call('ZREM', KEYS[3], holder)
  end
  redis.call('PEXPIRE', KEYS[3], left)
  redis.call('PEXPIRE', KEYS[4], left)
end
return {granted, string.format('%.0f', first - now), string.format('%.0f', wait), anew}
"""
)
"""Leases units of a rate: GCRA, in which a unit may be taken before it is due, but not spent.

KEYS: the theoretical arrival time, the hungry, ends of leases, units by holder (these two are for
those who look), idle microseconds. ARGV: microseconds of one unit, burst, microseconds ahead,
holder, units wanted, units wanted at once, units used without leave (or returned: negative),
whether the holder knows of an earlier state, microseconds for which it counts as hungry, units that
it holds as a lump and microseconds until those are due: given anew if that is earlier; units that
it holds in all, microseconds until those are stale, and after which one is that is due now; units
that its share spent in an outage.
Idle time that a grant discards is kept for five seconds: who comes back later has spent meanwhile
what the rate had room for, and its debt is charged to that first; of the rest, two bursts at most.
Returns units granted, microseconds until the first of them (or the lump) is due, and until asking
is worth while, and whether they take the place of the lump that was held.
"""

PERMITS = Script(
    NOW
    + SET_BACK
    + """
local holder, most, used, want = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local lease, hungry_for = tonumber(ARGV[5]), tonumber(ARGV[6])
set_back(KEYS[1], lease)
set_back(KEYS[3], hungry_for)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  redis.call('HDEL', KEYS[2], gone)
  redis.call('ZREM', KEYS[1], gone)
end
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('HDEL', KEYS[2], holder)
local others, holding = 0, redis.call('HGETALL', KEYS[2])
for i = 1, #holding, 2 do
  local held = tonumber(holding[i + 1])
  if held and held > 0 and redis.call('ZSCORE', KEYS[1], holding[i]) then
    others = others + held
  else
    redis.call('HDEL', KEYS[2], holding[i])
  end
end
local free = math.max(0, most - others)
local hungry = redis.call('ZCARD', KEYS[3])
if redis.call('ZSCORE', KEYS[3], holder) then hungry = hungry - 1 end
local holders = redis.call('HLEN', KEYS[2]) + 1
for _, poor in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
  if poor ~= holder and redis.call('HEXISTS', KEYS[2], poor) == 0 then holders = holders + 1 end
end
local fair = math.max(1, math.ceil(most / holders))
local allowed = math.min(want, free)
if hungry > 0 then allowed = math.min(allowed, fair) end
local held = math.max(allowed, used)
if held > 0 then
  redis.call('HSET', KEYS[2], holder, held)
  redis.call('ZADD', KEYS[1], now + lease, holder)
else
  redis.call('ZREM', KEYS[1], holder)
end
if used < want and allowed <= used and allowed < fair then
  redis.call('ZADD', KEYS[3], now + hungry_for, holder)
else
  redis.call('ZREM', KEYS[3], holder)
end
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, math.ceil(lease / 1000) + 60000) end
return {allowed, hungry}
"""
)
"""Leases permits to a holder until it is silent for the lease.

KEYS: ends of leases, permits by holder, the hungry. ARGV: holder, permits in all, those in use,
those wanted in all, microseconds of the lease, and of hunger. Returns how many it may use, and how
many others go without: then nobody holds more than a fair part.
"""

HELLO = Script(
    NOW
    + SET_BACK
    + """
set_back(KEYS[1], ARGV[2])
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000) + 1000)
return redis.call('ZCARD', KEYS[1])
"""
)
"""Counts the processes. KEYS: who there is. ARGV: who asks, microseconds for which it counts."""

LOOK = Script(
    NOW
    + """
local foreign, rows = {}, {}
local function ours(key, type)
  local is = key and redis.call('TYPE', key).ok or 'none'
  if is == type then return key end
  if is ~= 'none' then table.insert(foreign, key) end
  return is == 'none' and nil  -- nil: nothing is there; false: another's value
end
local ends, held, hungry = ours(KEYS[1], 'zset'), ours(KEYS[2], 'hash'), ours(KEYS[3], 'zset')
local function tell(who, left, waits)
  local amount = held == false and 'unknown' or '0'
  if held then amount = redis.call('HGET', held, who) or amount end
  table.insert(rows, {who, amount, string.format('%.0f', left), waits})
end
local function waits(who)
  local till = hungry and redis.call('ZSCORE', hungry, who)
  return till and tonumber(till) > now and 1 or 0
end
local there = ends and redis.call('ZRANGEBYSCORE', ends, now, '+inf', 'WITHSCORES') or {}
for i = 1, #there, 2 do tell(there[i], there[i + 1] - now, waits(there[i])) end
for _, who in ipairs(hungry and redis.call('ZRANGEBYSCORE', hungry, now, '+inf') or {}) do
  if not (ends and redis.call('ZSCORE', ends, who)) then tell(who, 0, 1) end
end
return {foreign, rows}
"""
)
"""Returns the keys that hold what is another's, and rows of who holds what by the others.

A row: holder, amount, microseconds left, whether it goes without some. KEYS: ends of leases;
amounts by holder; the hungry. It changes nothing.
"""

CLAIM_TURN = Script("return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0")
"""Returns 1 to the first who claims it. KEYS: the turn. ARGV: who, milliseconds."""
