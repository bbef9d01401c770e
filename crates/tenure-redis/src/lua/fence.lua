#!lua flags=allow-oom
-- KEYS: the head. ARGV: until when (empty: for so long), for how long, whether only if it is so now, the
-- time if it is not ours.
-- Keeps everybody from writing in the partition. Says whether it is so.
local head = redis.call('HMGET', KEYS[1], 'latest', 'barrier')
if not head[1] then
    return 'GONE'
end
local now = tonumber(ARGV[4])
if now == 0 then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
now = math.max(now, tonumber(head[1]))
if ARGV[3] == '1' and tonumber(head[2] or '0') <= now then
    return 0
end
local barrier = ARGV[1] ~= '' and ARGV[1] or string.format('%.0f', now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'barrier', barrier)
return 1
