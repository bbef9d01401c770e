#!lua flags=allow-oom
-- KEYS: the head, the log. ARGV: a fresh epoch, the server and its history.
-- What another server with another history says may lack what was acknowledged: its log is a new one.
local server = redis.call('HGET', KEYS[1], 'server')
if not server then
    -- If only the head was lost, numbers and times of the log go on: a stream takes none that go back.
    local last, sequence, latest = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1], 0, 0
    if last then
        sequence, latest = string.match(last[1], '^%d+'), last[2][2]
    end
    redis.call('HSET', KEYS[1], 'seq', sequence, 'latest', latest, 'holder', '', 'until', 0)
end
if server ~= ARGV[2] then
    redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'server', ARGV[2])
end
return server and 1 or 0
