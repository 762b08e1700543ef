-- Begins a session of a node: nothing that its older connections have sent is carried out from now on.
--
-- KEYS  fences, feed
-- ARGV  node
-- Returns {generation, newest id on the feed, oldest id on the feed}

local fences, feed = unpack(KEYS)
local generation = redis.call('HINCRBY', fences, ARGV[1], 1)
local newest = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)
local oldest = redis.call('XRANGE', feed, '-', '+', 'COUNT', 1)
return { tostring(generation), newest[1] and newest[1][1] or '0-0', oldest[1] and oldest[1][1] or '0-0' }
