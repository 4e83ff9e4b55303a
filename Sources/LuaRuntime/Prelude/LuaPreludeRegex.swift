extension LuaPreludeText {
  /// Text of the runtime's Lua code: `ngx.re`. Source: Kong fact, pdk §7.
  static let regex = #"""
    local regex_compile, regex_match = N.regex_compile, N.regex_match

    local function need_text(value, position, name)
      if type(value) == "string" then return value end
      if type(value) == "number" then return tostring(value) end
      raise("bad argument #" .. position .. " to '" .. name .. "' (string expected, got " .. type(value) .. ")")
    end

    -- Compiled expressions, forgotten all at once when there are many.
    local compiled_expressions, compiled_count = {}, 0
    local function compiled(expression, options, name)
      expression = need_text(expression, 2, name)
      options = options == nil and "" or need_text(options, 3, name)
      local key = options .. "/" .. expression
      local known = compiled_expressions[key]
      if known then return known end
      local made, failure = regex_compile(expression, options)
      if not made then return nil, failure end
      if compiled_count >= 512 then compiled_expressions, compiled_count = {}, 0 end
      compiled_expressions[key], compiled_count = made, compiled_count + 1
      return made
    end

    local function start_of(context)
      local place = context and tonumber(context.pos) or 1
      return place < 1 and 0 or place - 1
    end

    local function fill(result, captures)
      if type(result) ~= "table" then return captures end
      for key in pairs(result) do result[key] = nil end
      return copy(captures, result)
    end

    local regex = {}

    function regex.match(subject, expression, options, context, result)
      subject = need_text(subject, 1, "match")
      local code, failure = compiled(expression, options, "match")
      if not code then return nil, failure end
      local captures, from, to = regex_match(code, subject, start_of(context))
      if not captures then
        if from then return nil, from end
        if context then context.pos = nil end
        return nil
      end
      if context then context.pos = to + 1 end
      return fill(result, captures)
    end

    function regex.find(subject, expression, options, context, group)
      subject = need_text(subject, 1, "find")
      local code, failure = compiled(expression, options, "find")
      if not code then return nil, nil, failure end
      local start = start_of(context)
      local captures, from, to = regex_match(code, subject, start)
      if not captures then
        if from then return nil, nil, from end
        if context then context.pos = nil end
        return nil
      end
      if context then context.pos = to + 1 end
      if group == nil or group == 0 then return from, to end
      local _, first, last = regex_match(code, subject, start, group)
      return first, last
    end

    -- Where to search on after a match: past a byte (of UTF-8 a character) if it was empty.
    local function following(subject, from, to, options)
      if to >= from then return to end
      local place = to + 1
      if options and find(options, "[uU]") then
        while place < #subject do
          local value = byte(subject, place + 1)
          if value < 0x80 or value >= 0xC0 then break end
          place = place + 1
        end
      end
      return place
    end

    function regex.gmatch(subject, expression, options)
      subject = need_text(subject, 1, "gmatch")
      local code, failure = compiled(expression, options, "gmatch")
      if not code then return nil, failure end
      local start = 0
      return function()
        if start > #subject then return nil end
        local captures, from, to = regex_match(code, subject, start)
        if not captures then
          start = #subject + 1
          return nil, from
        end
        start = following(subject, from, to, options)
        return captures
      end
    end

    -- A replacement with $1, ${1} and $$ as a list of texts and group numbers; nil if it is none.
    local function template(text)
      local parts, place = {}, 1
      while true do
        local mark = find(text, "$", place, true)
        if not mark then
          parts[#parts + 1] = sub(text, place)
          return parts
        end
        parts[#parts + 1] = sub(text, place, mark - 1)
        local rest = sub(text, mark + 1, mark + 12)
        local number = rest:match("^%d+") or rest:match("^{(%d+)}")
        if number then
          parts[#parts + 1] = tonumber(number)
          place = mark + 1 + #number + (sub(rest, 1, 1) == "{" and 2 or 0)
        elseif sub(rest, 1, 1) == "$" then
          parts[#parts + 1] = "$"
          place = mark + 2
        else
          return nil
        end
      end
    end

    local function replacer(replacement, name)
      if type(replacement) == "function" then
        return function(captures) return need_text(replacement(captures), 3, name) end
      end
      local parts = template(need_text(replacement, 3, name))
      if not parts then return nil, "failed to compile the replacement template" end
      return function(captures)
        local texts = {}
        for i = 1, #parts do
          local part = parts[i]
          texts[i] = type(part) == "number" and (captures[part] or "") or part
        end
        return concat(texts)
      end
    end

    local function replace(subject, expression, replacement, options, once, name)
      subject = need_text(subject, 1, name)
      local code, failure = compiled(expression, options, name)
      if not code then return nil, nil, failure end
      local make, problem = replacer(replacement, name)
      if not make then return nil, nil, problem end
      local parts, count, place, start = {}, 0, 1, 0
      while start <= #subject do
        local captures, from, to = regex_match(code, subject, start)
        if not captures then
          if from then return nil, nil, from end
          break
        end
        count = count + 1
        parts[#parts + 1] = sub(subject, place, from - 1)
        parts[#parts + 1] = make(captures)
        place = to + 1
        if once then break end
        start = following(subject, from, to, options)
      end
      if count == 0 then return subject, 0 end
      parts[#parts + 1] = sub(subject, place)
      return concat(parts), count
    end

    function regex.sub(subject, expression, replacement, options)
      return replace(subject, expression, replacement, options, true, "sub")
    end

    function regex.gsub(subject, expression, replacement, options)
      return replace(subject, expression, replacement, options, false, "gsub")
    end

    modules["ngx.re"] = function()
      local module = {opt = function() end}
      function module.split(subject, expression, options, context, limit, result)
        subject = need_text(subject, 1, "split")
        local code, failure = compiled(expression, options, "split")
        if not code then return nil, failure end
        local parts, count = result or {}, 0
        local function add(part)
          count = count + 1
          parts[count] = part
        end
        local place, start = start_of(context) + 1, start_of(context)
        local pieces = 1
        while start <= #subject and not (limit and limit > 0 and pieces >= limit) do
          local captures, from, to = regex_match(code, subject, start)
          if not captures then
            if from then return nil, from end
            break
          end
          if to < from and from > #subject then break end
          if to < from and from == place then
            -- An empty match splits after the next byte.
            start = following(subject, from, to, options)
            local again, next_from, next_to = regex_match(code, subject, start)
            if not again or next_from > #subject then break end
            captures, from, to = again, next_from, next_to
          end
          add(sub(subject, place, from - 1))
          for i = 1, #captures do if captures[i] then add(captures[i]) end end
          pieces = pieces + 1
          place = to + 1
          start = to
        end
        if place <= #subject then add(sub(subject, place)) end
        if result then result[count + 1] = nil end
        return parts
      end
      return module
    end

    modules["ngx.resp"] = function() return {add_header = strict["ngx.resp.add_header"]} end

    """#
}
