local H = {PRIORITY = 1, VERSION = "1"}
function H.access() for i = 1, 1e9 do local t = {i, {}} t[t] = t end end
function H.rewrite() local s = "x" while true do s = s .. s end end
goto out
::out:: do return H end
