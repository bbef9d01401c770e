-- KEYS: the head, the guests. ARGV: the beginning of all keys, what to write and what it depends on.
-- Compares first, then writes: nothing below the comparisons can fail.
local base = ARGV[1]
local decided, is_the_time, max_delay, holder, seen, owner, owned, cells_seen, put, reschedule, remove,
    put_cells, events, guests, max_guests, others, max_log = unpack(cmsgpack.unpack(ARGV[2]))
local head = redis.call('HMGET', KEYS[1], 'seq', 'latest', 'holder', 'until', 'barrier')
if not head[1] then
    return 'GONE'
end
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local left = tonumber(head[4]) - clock
if head[3] ~= '' and head[3] ~= holder and left > 0 and left <= $LONGEST_HOLD then
    return 2
end
clock = is_the_time == 1 and decided or clock
local at = math.max(clock, tonumber(head[2]))
if is_the_time == 0 and math.abs(at - decided) > max_delay then
    return 3
end
local barrier = tonumber(head[5] or '0')
if barrier == $SHUT then
    return 6
end
if barrier > at then
    if barrier <= clock + $LONGEST_FREEZE then
        return 5
    end
    -- The clock was set back. Whoever froze it is not to believe that nobody writes.
    redis.call('HSET', KEYS[1], 'barrier', 0)
end

-- A row begins with: class 1, due 8, seen 8, idle 8, deadline 8, revision 8, realm 8, owner 16.
local NONE, NOBODY = string.rep('\0', 8), string.rep('\0', 16)
local rows = {}
local function row(id)
    rows[id] = rows[id] or redis.call('GETRANGE', base .. 's' .. id, 0, 64)
    return rows[id]
end
local function revision(id)
    local found = row(id)
    return found == '' and NONE or string.sub(found, 34, 41)
end
for _, session in ipairs(seen) do
    if revision(session[1]) ~= session[2] then
        return 1
    end
    if session[3] ~= '' and string.sub(row(session[1]), 10, 17) ~= session[3] then
        return 1
    end
end
if owner ~= '' then
    local to = '[' .. owner .. string.rep('\255', 16)
    local found = redis.call('ZRANGEBYLEX', base .. 'o', '[' .. owner, to)
    if #found ~= #owned then
        return 1
    end
    for i, session in ipairs(owned) do
        if string.sub(found[i], 17) ~= session[1] or revision(session[1]) ~= session[2] then
            return 1
        end
    end
end
for _, cell in ipairs(cells_seen) do
    local version = redis.call('GETRANGE', base .. cell[1], 0, 7)
    if (version == '' and NONE or version) ~= cell[2] then
        return 1
    end
end
if guests > 0 and max_guests >= 0 then
    if tonumber(redis.call('GET', KEYS[2]) or '0') + others + guests > max_guests then
        return 4
    end
end

local function class(found)
    return string.byte(found, 1)
end
local function unlist(id, found)
    redis.call('ZREM', base .. 'r', string.sub(found, 42, 49) .. id)
    if string.sub(found, 50, 65) ~= NOBODY then
        redis.call('ZREM', base .. 'o', string.sub(found, 50, 65) .. id)
    end
end
local function due_at(packed)
    return struct.unpack('>I8', packed)
end
for _, new in ipairs(put) do
    local id, kind, due, last, rest, expires = unpack(new)
    local found = row(id)
    if found ~= '' then
        if due_at(string.sub(found, 10, 17)) > due_at(last) then
            last = string.sub(found, 10, 17)
        end
        if class(found) == string.byte(kind) then
            if class(found) < 2 and due_at(string.sub(found, 2, 9)) < due_at(due) then
                due = string.sub(found, 2, 9)
            end
        else
            redis.call('ZREM', base .. 'd', id .. string.sub(found, 1, 1))
        end
        if string.sub(found, 42, 65) ~= string.sub(rest, 25, 48) or string.byte(kind) == 2 then
            unlist(id, found)
        end
    end
    local row_now = kind .. due .. last .. rest
    if expires > 0 then
        redis.call('SET', base .. 's' .. id, row_now, 'PXAT', expires)
    else
        redis.call('SET', base .. 's' .. id, row_now)
    end
    redis.call('ZADD', base .. 'd', due_at(due), id .. kind)
    if string.byte(kind) < 2 then
        redis.call('ZADD', base .. 'r', 0, string.sub(rest, 25, 32) .. id)
        if string.sub(rest, 33, 48) ~= NOBODY then
            redis.call('ZADD', base .. 'o', 0, string.sub(rest, 33, 48) .. id)
        end
    end
end
for _, later in ipairs(reschedule) do
    local id, due, grace = unpack(later)
    local found = row(id)
    if found ~= '' then
        redis.call('SETRANGE', base .. 's' .. id, 1, due)
        redis.call('ZADD', base .. 'd', due_at(due), id .. string.sub(found, 1, 1))
        if grace > 0 and class(found) == 2 then
            redis.call('PEXPIREAT', base .. 's' .. id, due_at(due) + grace)
        end
    end
end
for _, id in ipairs(remove) do
    local found = row(id)
    if found ~= '' then
        unlist(id, found)
        redis.call('ZREM', base .. 'd', id .. string.sub(found, 1, 1))
        redis.call('DEL', base .. 's' .. id)
    end
end
for _, cell in ipairs(put_cells) do
    local name, value, written, passing = unpack(cell)
    redis.call('SET', base .. name, value)
    -- What passes is forgotten in the order of time; the names of the others are kept to find them.
    redis.call('ZADD', base .. (passing == 1 and 't' or 'u'), passing == 1 and written or 0, name)
end
local sequence = tonumber(head[1])
for _, body in ipairs(events) do
    sequence = sequence + 1
    redis.call('XADD', base .. 'e', 'MAXLEN', '~', max_log, string.format('%.0f-0', sequence), 'a', at, 'b', body)
end
if guests ~= 0 then
    redis.call('INCRBY', KEYS[2], guests)
end
if holder ~= '' and head[3] == holder then
    redis.call('HSET', KEYS[1], 'seq', sequence, 'latest', at, 'holder', '')
else
    redis.call('HSET', KEYS[1], 'seq', sequence, 'latest', at)
end
return 0
