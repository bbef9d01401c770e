#!lua flags=allow-oom
-- KEYS: the head, the guests. ARGV: the beginning of all keys.
-- Tries all that the other scripts do: one that lacks a right in its middle has written a part. Gives
-- what is refused.
local key = ARGV[1] .. '?'
local kinds = {
    {{'SET', 1, 'PX', 60000}, {'GET'}, {'GETRANGE', 0, 1}, {'SETRANGE', 1, 'x'}, {'EXISTS'}, {'PEXPIREAT', '9999999999999'}},
    {{'INCRBY', 2}, {'DECR'}},
    {{'HSET', 'f', 1}, {'HGET', 'f'}, {'HMGET', 'f'}},
    {{'ZADD', 0, 'm'}, {'ZRANGEBYLEX', '-', '+'}, {'ZRANGEBYSCORE', '-inf', '+inf'}, {'ZREM', 'm'}},
    {{'XADD', '1-0', 'f', 1}, {'XRANGE', '-', '+'}, {'XREVRANGE', '+', '-'}, {'XTRIM', 'MINID', '=', '2-0'}},
}
for _, commands in ipairs(kinds) do
    for _, command in ipairs(commands) do
        local said = redis.pcall(command[1], key, unpack(command, 2))
        if type(said) == 'table' and said.err then
            redis.pcall('DEL', key)
            return command[1]
        end
    end
    local said = redis.pcall('DEL', key)
    if type(said) == 'table' and said.err then
        return 'DEL'
    end
end
local said = redis.pcall('TIME')
return type(said) == 'table' and said.err and 'TIME' or ''
