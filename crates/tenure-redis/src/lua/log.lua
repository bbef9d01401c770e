-- KEYS: the head. ARGV: the beginning of all keys, the epoch (empty: from the oldest), after, how many.
local base, epoch, after, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local head = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if not head[1] then
    return 'GONE'
end
local last = tonumber(head[2])
local oldest, kept = redis.call('XRANGE', base .. 'e', '-', '+', 'COUNT', 1), last
if oldest[1] then
    kept = tonumber(string.match(oldest[1][1], '^%d+')) - 1
end
if epoch == '' then
    after = kept
elseif epoch ~= head[1] or after < kept or after > last then
    return {0, head[1], kept}
end
return {1, head[1], redis.call('XRANGE', base .. 'e', string.format('%.0f-0', after + 1), '+', 'COUNT', limit)}
