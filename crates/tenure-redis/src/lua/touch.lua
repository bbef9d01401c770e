#!lua flags=allow-oom
-- KEYS: the head. ARGV: the beginning of all keys, the time if it is not ours, ids and moments.
local base, now = ARGV[1], tonumber(ARGV[2])
if now == 0 then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local head = redis.call('HMGET', KEYS[1], 'latest', 'barrier')
local clock, barrier = now, tonumber(head[2] or '0')
if ARGV[2] == '0' then
    now = math.max(now, tonumber(head[1] or '0'))
end
if barrier == $SHUT then
    return 6
end
if barrier > now and barrier <= clock + $LONGEST_FREEZE then
    return 5
end
local touches = ARGV[3]
for from = 1, #touches, 24 do
    local key = base .. 's' .. string.sub(touches, from, from + 15)
    local at = math.min(struct.unpack('>I8', touches, from + 16), now)
    local found = redis.call('GETRANGE', key, 0, 32)
    if found ~= '' and string.byte(found, 1) < 2 then
        local seen, idle = struct.unpack('>I8', found, 10), struct.unpack('>I8', found, 18)
        local deadline = struct.unpack('>I8', found, 26)
        if at > seen and at - idle < seen and at < deadline then
            redis.call('SETRANGE', key, 9, struct.pack('>I8', at))
        end
    end
end
return 0
