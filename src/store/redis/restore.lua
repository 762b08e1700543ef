-- Gives back states that a node knows and the server may have lost.
--
-- KEYS  states, running, feed
-- ARGV  most entries on the feed, then for each state: system, seq, whether water runs ('1' or ''), state
-- Returns how many were newer than what the server had, or another one under the same seq

local states, running, feed = unpack(KEYS)
local restored = 0

local function put(system, state, runs)
  redis.call('HSET', states, system, state)
  redis.call(runs and 'SADD' or 'SREM', running, system)
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[1], '*', 's', system, 'v', state, 'a', '', 'n', '')
  restored = restored + 1
end

for i = 2, #ARGV, 4 do
  local system, seq, runs, state = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2] == '1', ARGV[i + 3]
  local current = redis.call('HGET', states, system)
  local there = tonumber(current and string.match(current, '%d+') or 0)
  if there < seq then
    put(system, state, runs)
  elseif there == seq and current and current ~= state then
    -- Both were told to somebody: a third one tells everybody which is right, and of two a closed valve is.
    local closed = not runs
    local winner = closed and state or current
    local open = not closed and redis.call('SISMEMBER', running, system) == 1
    put(system, (string.gsub(winner, '%d+', string.format('%d', seq + 1), 1)), open)
  end
end
return restored
