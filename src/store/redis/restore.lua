-- Gives back states that a node knows and the server has lost.
--
-- KEYS  states, running, feed
-- ARGV  most entries on the feed, then for each state: system, seq, whether water runs ('1' or ''), state
-- Returns how many were newer than what the server had

local states, running, feed = unpack(KEYS)
local restored = 0
for i = 2, #ARGV, 4 do
  local system, seq, runs, state = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2], ARGV[i + 3]
  local current = redis.call('HGET', states, system)
  if tonumber(current and string.match(current, '%d+') or 0) < seq then
    redis.call('HSET', states, system, state)
    redis.call(runs == '1' and 'SADD' or 'SREM', running, system)
    redis.call('XADD', feed, 'MAXLEN', '~', ARGV[1], '*', 's', system, 'v', state, 'a', '', 'n', '')
    restored = restored + 1
  end
end
return restored
