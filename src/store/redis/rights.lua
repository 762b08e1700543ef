-- Does once, on keys of its own, what the other scripts do: a user that may not is refused here, and not halfway.
--
-- KEYS  a hash, a set, a stream, a sorted set, a text: all of them scratch

local hash, set, stream, sorted, text = unpack(KEYS)
redis.call('TIME')
redis.call('HSET', hash, 'a', '1')
redis.call('HSETNX', hash, 'a', '1')
redis.call('HGET', hash, 'a')
redis.call('HMGET', hash, 'a', 'b')
redis.call('HINCRBY', hash, 'a', 1)
redis.call('HDEL', hash, 'a')
redis.call('SADD', set, 'a')
redis.call('SISMEMBER', set, 'a')
redis.call('EXISTS', set)
redis.call('SREM', set, 'a')
redis.call('XADD', stream, 'MAXLEN', '~', 1, '*', 'a', '1')
redis.call('XRANGE', stream, '-', '+')
redis.call('XREVRANGE', stream, '+', '-')
redis.call('ZADD', sorted, 1, 'a')
redis.call('ZSCORE', sorted, 'a')
redis.call('ZRANGE', sorted, 0, 0)
redis.call('ZCARD', sorted)
redis.call('ZREM', sorted, 'a')
redis.call('SET', text, '1', 'PX', 1000)
redis.call('GET', text)
redis.call('DEL', hash, set, stream, sorted, text)
return 1
