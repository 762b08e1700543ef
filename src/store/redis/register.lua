-- Registers systems with the settings that a node has for them. Who comes last is right; who comes back only adds what is
-- missing.
--
-- KEYS  systems, feed, clock
-- ARGV  most entries on the feed, 'all' or 'missing', then for each system: id, settings
-- Returns id and former settings of each that had others

local systems, feed, clock = unpack(KEYS)
local differed, news = {}, {}
for i = 3, #ARGV, 2 do
  local former = redis.call('HGET', systems, ARGV[i])
  if not former or (ARGV[2] == 'all' and former ~= ARGV[i + 1]) then
    news[#news + 1] = ARGV[i]
    redis.call('HSET', systems, ARGV[i], ARGV[i + 1])
    if former then
      differed[#differed + 1] = ARGV[i]
      differed[#differed + 1] = former
    end
  end
end
if #news > 0 then
  local version = redis.call('HINCRBY', clock, 'systems', 1)
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[1], '*', 'r', table.concat(news, ' '), 'rv', version)
end
return differed
