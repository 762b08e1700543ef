-- One commit: compared, written, and on the feed, in one step or not at all.
--
-- KEYS  states, running, feed, receipts, ages, history of the system, stops of the system, fences, clock
-- ARGV  see `Commit` in scripts.rs, which names them in this order
-- Returns {'done', answer that was kept before}, {'known', answer}, {'stale'}, {'late'}, {'clock'} or
--         {'fenced'}

local states, running, feed, receipts, ages, history, stops, fences, clock = unpack(KEYS)
local node, generation, nonce, system, expected, kind, state, action, started, valid_until,
  clock_version, key, receipt, ticks, kept_ms, receipts_kept, feed_kept, history_kept = unpack(ARGV)

-- What a connection left behind that its node has given up must not come true any more.
if redis.call('HGET', fences, node) ~= generation then
  return { 'fenced' }
end

local known = ''
if key ~= '' then
  local age = tonumber(ticks) - tonumber(redis.call('ZSCORE', ages, key) or ticks)
  if age < tonumber(kept_ms) then
    known = redis.call('HGET', receipts, key) or ''
  end
end
-- What closes a valve closes it whatever its key says.
if known ~= '' and kind ~= 'closes' then
  return { 'known', known }
end

local current = redis.call('HGET', states, system)
if (current and string.match(current, '%d+') or '0') ~= expected then
  return { 'stale' }
end

if kind == 'opens' then
  local time = redis.call('TIME')
  if time[1] * 1000 + time[2] / 1000 > tonumber(valid_until) then
    return { 'late' }
  end
  local run = current and cjson.decode(current)[2]
  if type(run) == 'table' and run[3] == tonumber(started) then
    -- The same run, shown anew; by a node that has not heard yet how the clock stands now?
    if (redis.call('HGET', clock, 'version') or '') ~= clock_version then
      return { 'clock' }
    end
  else
    local stopped = redis.call('GET', stops)
    if stopped and tonumber(started) < tonumber(stopped) then
      return { 'stale' }
    end
  end
end

if kind ~= 'answers' then
  if kind == 'closes' then
    -- First, because it needs no memory: a server that is full refuses only a first write that does.
    redis.call('SREM', running, system)
  end
  -- The next, because it is the only one that could be refused: an id is the seq that ended the run, and only grows. What
  -- closes a valve closes it all the same.
  if action ~= '' then
    local push = kind == 'closes' and redis.pcall or redis.call
    push('XADD', history, 'MAXLEN', history_kept, string.format('%d-0', tonumber(expected) + 1), 'a', action)
  end
  redis.call('HSET', states, system, state)
  if kind == 'opens' then
    redis.call('SADD', running, system)
  end
  redis.call('XADD', feed, 'MAXLEN', '~', feed_kept, '*', 's', system, 'v', state, 'a', action, 'n', nonce)
end

if key ~= '' and known == '' then
  redis.call('HSET', receipts, key, receipt)
  redis.call('ZADD', ages, ticks, key)
  -- Two that are old enough, where there are any: so they become fewer faster than more.
  local oldest = redis.call('ZRANGE', ages, 0, 1, 'WITHSCORES')
  for i = 1, #oldest, 2 do
    local old = tonumber(ticks) - tonumber(oldest[i + 1]) >= tonumber(kept_ms)
    if old or redis.call('ZCARD', ages) > tonumber(receipts_kept) then
      redis.call('HDEL', receipts, oldest[i])
      redis.call('ZREM', ages, oldest[i])
    end
  end
end

return { 'done', known }
