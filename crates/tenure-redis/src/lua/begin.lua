#!lua flags=allow-oom
-- KEYS: the head. ARGV: a fresh epoch, the server and its history.
-- What another server with another history says may lack what was acknowledged: its log is a new one.
local server = redis.call('HGET', KEYS[1], 'server')
if not server then
    redis.call('HSET', KEYS[1], 'seq', 0, 'latest', 0, 'holder', '', 'until', 0)
end
if server ~= ARGV[2] then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'server', ARGV[2])
end
return server and 1 or 0
