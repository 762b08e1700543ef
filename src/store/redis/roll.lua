-- Calls the roll: every node that lives answers it with its next beat.
--
-- KEYS  clock, voices
-- Returns the number of the call

redis.call('DEL', KEYS[2])
return tostring(redis.call('HINCRBY', KEYS[1], 'roll', 1))
