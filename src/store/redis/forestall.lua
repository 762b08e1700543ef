-- Notes a stop that found nothing running: what was decided to be opened before it is not.
--
-- KEYS  stops of the system
-- ARGV  ticks of the stop, how long it is kept (ms)

local known = redis.call('GET', KEYS[1])
if not known or tonumber(known) < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
