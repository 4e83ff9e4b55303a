local function f(n) if n == 0 then error("deep") end return f(n - 1) + 1 end
return {PRIORITY = 1, VERSION = "1", access = function()
  local ok, e = xpcall(f, function(m) return m .. "!" end, 10)
  for i = 1, 3 do pcall(string.gsub, "abc", ".", function(c) if i == 2 then error(c) end return c:byte() end) end
  local a <const> = nil
  goto done
  ::done::
end, log = function() while true do pcall(error) end end}
