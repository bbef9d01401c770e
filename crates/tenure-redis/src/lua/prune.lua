#!lua flags=allow-oom
-- KEYS: the head. ARGV: the beginning of all keys, receipts until, events until, events too many, limit.
local base, limit = ARGV[1], tonumber(ARGV[5])
local receipts = redis.call('ZRANGEBYSCORE', base .. 't', '-inf', ARGV[2], 'LIMIT', 0, limit)
for _, name in ipairs(receipts) do
    redis.call('DEL', base .. name)
    redis.call('ZREM', base .. 't', name)
end
local events_until, too_many, upto, went = tonumber(ARGV[3]), tonumber(ARGV[4]), nil, 0
for i, event in ipairs(redis.call('XRANGE', base .. 'e', '-', '+', 'COUNT', limit)) do
    if tonumber(event[2][2]) > events_until and i > too_many then
        break
    end
    upto, went = tonumber(string.match(event[1], '^%d+')), i
end
if upto then
    redis.call('XTRIM', base .. 'e', 'MINID', '=', string.format('%.0f-0', upto + 1))
end
return {#receipts + went, (#receipts == limit or went == limit) and 1 or 0}
