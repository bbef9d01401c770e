#!lua flags=allow-oom
-- KEYS: the head. ARGV: until when (empty: for so long), for how long, the barrier that it must be (empty:
-- any but one that is shut), the time if it is not ours.
-- Keeps everybody from writing in the partition, or nobody (0). Gives the barrier; -1 if nothing was
-- changed.
local head = redis.call('HMGET', KEYS[1], 'latest', 'barrier')
if not head[1] then
    return 'GONE'
end
local to, held, barrier, now = ARGV[1], ARGV[3], head[2] or '0', tonumber(ARGV[4])
if now == 0 then
    local time = redis.call('TIME')
    now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
local latest = now + $LONGEST_FREEZE
now = math.max(now, tonumber(head[1]))
if held == '' then
    if barrier == '$SHUT' and to ~= '0' then
        return -1
    end
elseif barrier ~= held then
    return -1
-- Further ahead than a freeze may be it is one of before the clock was set back.
elseif to ~= '0' and barrier ~= '$SHUT' and (tonumber(barrier) <= now or tonumber(barrier) > latest) then
    return -1
end
local raised = to ~= '' and to or string.format('%.0f', now + tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'barrier', raised)
return tonumber(raised)
