extension LuaPreludeText {
  /// Text of the runtime's Lua code: `kong.db`. Source: Kong fact, pdk §8.
  static let database = #"""
    do
    local select_entity = internal["db.select"]
    local keys_of = {
      certificates = {}, consumers = {"username", "custom_id"}, keys = {"name"}, plugins = {"instance_name"},
      routes = {"name"}, services = {"name"}, snis = {"name"}, targets = {}, upstreams = {"name"},
    }
    for collection, keys in pairs(keys_of) do
      providers["kong.db." .. collection] = function()
        local own = {}
        function own.select(_, key)
          if type(key) ~= "table" then raise("primary_key must be a table") end
          local id = key.id
          if not is_uuid(id) then return nil, "[sluice] schema violation (id: expected a valid UUID)" end
          return select_entity(collection, "id", lower(id))
        end
        for _, field in ipairs(keys) do
          own["select_by_" .. field] = function(_, value)
            if type(value) ~= "string" then raise(field .. " must be a string") end
            return select_entity(collection, field, value)
          end
        end
        local names = {"name", "route", "service", "consumer", "consumer_group"}
        function own.cache_key(_, key, ...)
          local parts = {key, ...}
          if type(key) == "table" then
            if collection == "plugins" then
              for i, name in ipairs(names) do parts[i] = key[name] end
            else
              parts[1] = key.id
            end
          end
          for i = 1, 5 do
            local part = parts[i]
            if type(part) == "table" then part = part.id end
            if part == nil or part == null then part = "" end
            parts[i] = tostring(part)
          end
          return collection .. ":" .. concat(parts, ":", 1, 5) .. ":" .. (parts[6] or internal["node.default_workspace"]())
        end
        if collection == "plugins" then
          function own.select_by_cache_key(_, key)
            if type(key) ~= "string" then raise("cache_key must be a string") end
            return internal["db.select_by_cache_key"](key)
          end
        end
        return own
      end
    end
    end

    """#
}
