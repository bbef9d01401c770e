#!lua flags=allow-oom
-- KEYS: the head. ARGV: who holds it.
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'holder', '')
end
return 0
