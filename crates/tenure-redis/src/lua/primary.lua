-- A command that writes nothing, but that only a primary takes: what a replica holds is never read
-- as if it were the truth. A primary that cannot save to its disk still answers.
local refused = redis.pcall('DEL', ARGV[1] .. '-')
if type(refused) == 'table' and refused.err and not string.find(refused.err, 'MISCONF', 1, true) then
    return refused
end
local time = redis.call('TIME')
local clock = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
