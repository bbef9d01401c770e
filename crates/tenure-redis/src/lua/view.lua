-- KEYS: the head, the guests. ARGV: the beginning of all keys, what is wanted.
local base, want = ARGV[1], cmsgpack.unpack(ARGV[2])
local sessions, owner, cells, guests, holder, for_ms = unpack(want)
local head = redis.call('HMGET', KEYS[1], 'seq', 'latest', 'holder', 'until', 'barrier')
if not head[1] then
    return 'GONE'
end
if head[5] == '$SHUT' then
    return 'SHUT'
end
local now = math.max(clock, tonumber(head[2]))
if holder ~= '' then
    local left = tonumber(head[4]) - clock
    if head[3] == '' or head[3] == holder or left <= 0 or left > $LONGEST_HOLD then
        -- A place without room for this goes without.
        redis.pcall('HSET', KEYS[1], 'holder', holder, 'until', clock + for_ms)
    else
        -- It asks again: what it is told now would be read in vain, and may be much.
        return {now, '0', {}, {}, {}, 0}
    end
end
local rows, owned, kept = {}, {}, {}
for i, id in ipairs(sessions) do
    rows[i] = redis.call('GET', base .. 's' .. id) or ''
end
if owner ~= '' then
    local to = '[' .. owner .. string.rep('\255', 16)
    for _, member in ipairs(redis.call('ZRANGEBYLEX', base .. 'o', '[' .. owner, to)) do
        local id = string.sub(member, 17)
        local row = redis.call('GET', base .. 's' .. id)
        if row then
            owned[#owned + 1] = id
            owned[#owned + 1] = row
        else
            redis.call('ZREM', base .. 'o', member)
        end
    end
end
for i, name in ipairs(cells) do
    kept[i] = redis.call('GET', base .. name) or ''
end
local count = guests == 1 and redis.call('GET', KEYS[2]) or '0'
return {now, count, rows, owned, kept, 1}
