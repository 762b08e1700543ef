-- Begins a session of a node: nothing that its older connections have sent is carried out from now on.
--
-- KEYS  fences, feed, clock
-- ARGV  node, generation of the session, the place on the feed that the node has read up to, what stood there ('' where it
--       does not know): state and nonce
-- Returns {newest id on the feed, whether that place is there ('1' or ''), version of the systems}

local fences, feed, clock = unpack(KEYS)
local node, generation, place, mark = unpack(ARGV)

-- A first write that needs no memory: a server that is full is asked for no more than one that is not.
redis.call('HDEL', fences, '')
if tonumber(redis.call('HGET', fences, node) or 0) < tonumber(generation) then
  redis.call('HSET', fences, node, generation)
end
local newest = redis.call('XREVRANGE', feed, '+', '-', 'COUNT', 1)
-- After a loss, or a clock that was set back, other entries may have the same id.
local entry = place ~= '' and redis.call('XRANGE', feed, place, place)[1]
local there = entry and true or false
if there and mark ~= '' then
  local fields = {}
  for i = 1, #entry[2], 2 do
    fields[entry[2][i]] = entry[2][i + 1]
  end
  there = (fields.v or '') .. '|' .. (fields.n or '') == mark
end
return { newest[1] and newest[1][1] or '0-0', there and '1' or '', redis.call('HGET', clock, 'systems') or '' }
