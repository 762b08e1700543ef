-- Registers systems with the settings that a node has for them. Who comes last is right.
--
-- KEYS  systems, feed
-- ARGV  most entries on the feed, then for each system: id, settings
-- Returns id and former settings of each that had others

local systems, feed = unpack(KEYS)
local differed, news = {}, false
for i = 2, #ARGV, 2 do
  local former = redis.call('HGET', systems, ARGV[i])
  if former ~= ARGV[i + 1] then
    news = true
    redis.call('HSET', systems, ARGV[i], ARGV[i + 1])
    if former then
      differed[#differed + 1] = ARGV[i]
      differed[#differed + 1] = former
    end
  end
end
if news then
  redis.call('XADD', feed, 'MAXLEN', '~', ARGV[1], '*', 'r', '1')
end
return differed
