#!lua flags=allow-oom
-- KEYS: the head, the guests. ARGV: the beginning of all keys, an index, where in its members the id
-- begins, members.
-- Takes sessions out of an index that the server has let go of by itself.
local base, index, from = ARGV[1], ARGV[2], tonumber(ARGV[3])
for i = 4, #ARGV do
    local member = ARGV[i]
    if redis.call('EXISTS', base .. 's' .. string.sub(member, from, from + 15)) == 0
        and redis.call('ZREM', base .. index, member) == 1
        and index == 'd' and string.byte(member, 17) == 0 then
        redis.call('DECR', KEYS[2])
    end
end
return 0
