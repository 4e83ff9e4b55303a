extension LuaPreludeText {
  /// Text of the runtime's Lua code: the often used part of `pl.stringx` and `pl.tablex`.
  static let penlight = #"""
    modules["pl.stringx"] = function()
      local module = {}
      -- A character set for trimming: blanks, or the given characters taken literally.
      local function set(characters)
        if characters == nil then return "%s" end
        return "[" .. gsub(characters, "[%]%[%^%-%%]", "%%%0") .. "]"
      end
      function module.lstrip(text, characters) return (gsub(text, "^" .. set(characters) .. "+", "")) end
      function module.rstrip(text, characters)
        local class, last = set(characters), #text
        while last > 0 and find(sub(text, last, last), class) do last = last - 1 end
        return sub(text, 1, last)
      end
      function module.strip(text, characters) return module.lstrip(module.rstrip(text, characters), characters) end
      function module.split(text, separator, limit) return split(text, separator, true, limit) end
      function module.splitlines(text)
        local lines = {}
        for line in gsub(text, "\r\n?", "\n"):gmatch("([^\n]*)\n?") do lines[#lines + 1] = line end
        if lines[#lines] == "" then lines[#lines] = nil end
        return lines
      end
      local function any(ends, check)
        if type(ends) == "string" then return check(ends) end
        for _, item in ipairs(ends) do if check(item) then return true end end
        return false
      end
      function module.startswith(text, ends)
        return any(ends, function(item) return sub(text, 1, #item) == item end)
      end
      function module.endswith(text, ends)
        return any(ends, function(item) return item == "" or sub(text, -#item) == item end)
      end
      function module.join(separator, list) return concat(list, separator) end
      function module.count(text, wanted)
        local count, place = 0, 1
        if wanted == "" then return #text + 1 end
        while true do
          local from, to = find(text, wanted, place, true)
          if not from then return count end
          count, place = count + 1, to + 1
        end
      end
      function module.replace(text, old, new, limit)
        local parts, place, count = {}, 1, 0
        while old ~= "" and not (limit and count >= limit) do
          local from, to = find(text, old, place, true)
          if not from then break end
          parts[#parts + 1] = sub(text, place, from - 1)
          parts[#parts + 1] = new
          place, count = to + 1, count + 1
        end
        parts[#parts + 1] = sub(text, place)
        return concat(parts)
      end
      function module.partition(text, separator)
        local from, to = find(text, separator, 1, true)
        if not from then return text, "", "" end
        return sub(text, 1, from - 1), separator, sub(text, to + 1)
      end
      function module.lfind(text, wanted, from, to)
        local place, last = find(text, wanted, from, true)
        if place and to and last > to then return nil end
        return place
      end
      local classes = {isalpha = "%a", isdigit = "%d", isalnum = "%w", isspace = "%s", islower = "%l", isupper = "%u"}
      for name, class in pairs(classes) do
        module[name] = function(text) return find(text, "^" .. class .. "+$") ~= nil end
      end
      module.lower, module.upper = lower, string.upper
      return module
    end

    modules["pl.tablex"] = function()
      local module = {}
      local function compare(first, second, depth)
        if first == second then return true end
        if type(first) ~= "table" or type(second) ~= "table" or depth > 100 then return false end
        for key, value in next, first do if not compare(value, rawget(second, key), depth + 1) then return false end end
        for key in next, second do if rawget(first, key) == nil then return false end end
        return true
      end
      function module.deepcompare(first, second) return compare(first, second, 0) end
      function module.deepcopy(value) return deep_copy(value, {}) end
      function module.copy(value) return copy(value) end
      function module.update(into, from) return copy(from, into) end
      function module.merge(first, second, all)
        local merged = {}
        for key, value in pairs(first) do if all or second[key] ~= nil then merged[key] = value end end
        for key, value in pairs(second) do if all or first[key] ~= nil then merged[key] = value end end
        return merged
      end
      module.union = function(first, second) return module.merge(first, second, true) end
      module.intersection = function(first, second) return module.merge(first, second, false) end
      function module.size(value)
        local count = 0
        for _ in pairs(value) do count = count + 1 end
        return count
      end
      function module.keys(value)
        local keys = {}
        for key in pairs(value) do keys[#keys + 1] = key end
        return keys
      end
      function module.values(value)
        local values = {}
        for _, item in pairs(value) do values[#values + 1] = item end
        return values
      end
      function module.map(f, value, ...)
        local result = {}
        for key, item in pairs(value) do result[key] = f(item, ...) end
        return result
      end
      function module.imap(f, list, ...)
        local result = {}
        for index = 1, #list do
          local made = f(list[index], ...)
          result[index] = made == nil and false or made
        end
        return result
      end
      function module.filter(list, keeps, ...)
        local result = {}
        for index = 1, #list do if keeps(list[index], ...) then result[#result + 1] = list[index] end end
        return result
      end
      function module.foreach(value, f, ...) for key, item in pairs(value) do f(item, key, ...) end end
      function module.find(list, wanted, start)
        for index = start or 1, #list do if list[index] == wanted then return index end end
        return nil
      end
      function module.search(value, wanted)
        for key, item in pairs(value) do if item == wanted then return key end end
        return nil
      end
      function module.insertvalues(list, place, values)
        if values == nil then place, values = #list + 1, place end
        for index = 1, #values do table.insert(list, place + index - 1, values[index]) end
        return list
      end
      function module.sub(list, first, last)
        first, last = first or 1, last or -1
        if first < 0 then first = #list + first + 1 end
        if last < 0 then last = #list + last + 1 end
        local result = {}
        for index = first, last do result[#result + 1] = list[index] end
        return result
      end
      function module.makeset(list)
        local set = {}
        for _, item in ipairs(list) do set[item] = true end
        return set
      end
      function module.index_map(list)
        local map = {}
        for index, item in ipairs(list) do map[item] = index end
        return map
      end
      function module.reduce(f, list, start)
        local first, result = 1, start
        if result == nil then first, result = 2, list[1] end
        for index = first, #list do result = f(result, list[index]) end
        return result
      end
      return module
    end

    """#
}
