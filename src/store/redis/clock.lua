-- Sets fields of the clock that all nodes share, if it is still the one that the node knows. It stands on the feed, so that
-- nobody shows a change that was made by this clock before he has heard of it.
--
-- KEYS  clock, feed
-- ARGV  version, most entries on the feed, then names and values
-- Returns 1, or 0 when somebody else was first

local clock, feed = unpack(KEYS)
if (redis.call('HGET', clock, 'version') or '') ~= ARGV[1] then
  return 0
end
local version = redis.call('HINCRBY', clock, 'version', 1)
for i = 3, #ARGV, 2 do
  redis.call('HSET', clock, ARGV[i], ARGV[i + 1])
end
redis.call('XADD', feed, 'MAXLEN', '~', ARGV[2], '*', 'c', version)
return 1
