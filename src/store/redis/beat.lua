-- One look at the clock that all nodes share. Something changes only when a node is asked for its voice, or every few seconds
-- while water runs.
--
-- KEYS  clock, voices, running
-- ARGV  node, the roll call that it answers, its answer, how often `seen` is written (ms)
-- Returns {seconds, microseconds, then the fields of the clock}

local clock, voices, running = unpack(KEYS)
local node, answers, voice, seen_every = unpack(ARGV)
-- Changes nothing, and is refused by a server that takes no writes: one that was replaced and does not know it yet must not
-- look alive.
redis.call('HDEL', clock, '')
local time = redis.call('TIME')
local fields = redis.call('HMGET', clock, 'version', 'boot', 'step', 'offset', 'server', 'seen', 'roll')
local ticks = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(fields[3] or 0)

-- How far the clock got is for who comes when nobody else has watched it.
if fields[6] and ticks - tonumber(fields[6]) >= tonumber(seen_every) and redis.call('EXISTS', running) == 1 then
  -- A server that is full can still be looked at.
  redis.pcall('HSET', clock, 'seen', string.format('%.0f', ticks))
end
if fields[7] and fields[7] == answers then
  redis.pcall('HSET', voices, node, voice)
end

local answer = { time[1], time[2] }
for i = 1, 7 do
  answer[i + 2] = fields[i] or ''
end
return answer
