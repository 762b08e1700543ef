-- Sets fields of the clock that all nodes share, if it is still the one that the node knows.
--
-- KEYS  clock
-- ARGV  version, then names and values
-- Returns 1, or 0 when somebody else was first

local clock = KEYS[1]
if (redis.call('HGET', clock, 'version') or '') ~= ARGV[1] then
  return 0
end
redis.call('HINCRBY', clock, 'version', 1)
for i = 2, #ARGV, 2 do
  redis.call('HSET', clock, ARGV[i], ARGV[i + 1])
end
return 1
