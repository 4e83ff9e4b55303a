local s, t = {}, {3, 1, 2}
table.sort(t, function(a, b) return a < b end)
for word in ("a b c"):gmatch("%a+") do s[#s + 1] = word:upper():rep(3, "-") end
local co = coroutine.wrap(function(...) for i = 1, select("#", ...) do coroutine.yield((select(i, ...))) end end)
local ok, e = pcall(error, {code = 1})
return {PRIORITY = 1, VERSION = "1.0", rewrite = function() return co(1, 2, ("%5.2f|%q|%x"):format(1, "a", 255)) end,
  access = function() ngx.ctx.x = {1, {2}} ; kong.ctx.shared.y = ngx.re.match("a1b2", "([a-z])([0-9])", "jo") end}
