extension LuaPreludeText {
  /// Text of the runtime's Lua code: what goes beyond a request (timers, sockets, caches, references to secrets).
  static let services = #"""
    -- Functions that run later. Each has a number, by which the host asks for it.
    local timers, last_timer = {}, 0
    local function add_timer(delay, callback, repeats, ...)
      if type(delay) ~= "number" or delay < 0 then raise("delay must be a number that is not negative") end
      if type(callback) ~= "function" then raise("callback must be a function") end
      local number = last_timer + 1
      local ok, failure = internal["timer.start"](delay, number)
      if not ok then return nil, failure end
      last_timer = number
      timers[number] = {callback = callback, delay = delay, repeats = repeats, arguments = pack(...)}
      return number
    end
    local function run_timer()
      local number = internal["timer.due"]()
      local timer = timers[number]
      if not timer then return end
      timers[number] = nil
      if timer.repeats and internal["timer.start"](timer.delay, number) then timers[number] = timer end
      timer.callback(false, unpack(timer.arguments, 1, timer.arguments.n))
    end
    local function make_timer()
      return {
        at = function(delay, callback, ...) return add_timer(delay, callback, false, ...) end,
        every = function(delay, callback, ...)
          if delay == 0 then raise("delay cannot be 0") end
          return add_timer(delay, callback, true, ...)
        end,
        pending_count = function()
          local count = 0
          for _ in pairs(timers) do count = count + 1 end
          return count
        end,
        running_count = function() return 0 end,
      }
    end

    -- Client sockets. A socket belongs to the request, or timer, that made it, and is closed with it.
    local function make_socket()
      local socket, number = {}, nil
      local timeout = 60000
      local function closed() return nil, "closed" end
      function socket.connect(_, host, port)
        host = need_text(host, 1, "connect")
        if sub(host, 1, 5) == "unix:" then return nil, "sockets of the file system are not supported" end
        port = tonumber(port)
        if not port or port < 0 or port > 65535 then raise("bad argument #2 to 'connect' (port number expected)") end
        if number then internal["socket.close"](number) end
        local made, failure = internal["socket.connect"](host, port, timeout)
        number = made
        if not made then return nil, failure end
        return 1
      end
      function socket.send(_, data)
        if not number then return closed() end
        return internal["socket.send"](number, data, timeout)
      end
      function socket.receive(_, pattern)
        if not number then return closed() end
        if pattern == nil then pattern = "*l" end
        local count = tonumber(pattern)
        if count then
          if count < 0 then raise("bad argument #1 to 'receive' (bad number argument)") end
          return internal["socket.receive"](number, "n", count, timeout)
        end
        if pattern ~= "*l" and pattern ~= "*a" and pattern ~= "l" and pattern ~= "a" then
          raise("bad argument #1 to 'receive' (bad pattern argument)")
        end
        return internal["socket.receive"](number, sub(pattern, -1), 0, timeout)
      end
      function socket.receiveany(_, count)
        if not number then return closed() end
        return internal["socket.receive"](number, "y", tonumber(count) or 65536, timeout)
      end
      function socket.close()
        if not number then return closed() end
        internal["socket.close"](number)
        number = nil
        return 1
      end
      socket.setkeepalive = socket.close
      function socket.getreusedtimes()
        if not number then return closed() end
        return 0
      end
      function socket.settimeout(_, milliseconds) timeout = tonumber(milliseconds) or timeout end
      function socket.settimeouts(_, connect, send, read) timeout = tonumber(read or send or connect) or timeout end
      function socket.setoption() return true end
      function socket.sslhandshake() return nil, "TLS is not supported on sockets of plugins" end
      return socket
    end
    local function make_sockets()
      return {
        tcp = make_socket,
        connect = function(host, port)
          local socket = make_socket()
          local ok, failure = socket:connect(host, port)
          if not ok then return nil, failure end
          return socket
        end,
      }
    end

    -- ngx.shared: dictionaries of the whole process.
    local dictionary_names = {}
    for name in ([[kong kong_locks kong_db_cache kong_db_cache_miss kong_core_db_cache kong_core_db_cache_miss
      kong_healthchecks kong_cluster_events kong_rate_limiting_counters kong_secrets prometheus_metrics]]):gmatch("%S+")
    do
      dictionary_names[name] = true
    end
    local function make_dictionary(name)
      local dictionary = {}
      for _, operation in ipairs {"get", "get_stale", "set", "safe_set", "add", "safe_add", "replace", "delete", "incr",
        "ttl", "expire", "flush_all", "flush_expired", "get_keys", "capacity", "free_space"} do
        dictionary[operation] = function(_, ...) return internal["shared." .. operation](name, ...) end
      end
      return dictionary
    end
    local function make_shared()
      return setmetatable({}, {
        __index = function(dictionaries, name)
          if not dictionary_names[name] then return nil end
          local dictionary = make_dictionary(name)
          rawset(dictionaries, name, dictionary)
          return dictionary
        end,
        __metatable = false,
      })
    end

    -- kong.cache: values of one plugin version on one event loop.
    local function make_cache()
      local items, count, now = {}, 0, strict["ngx.now"]
      local cache = {}
      local function lookup(key)
        local item = items[key]
        if item and (not item.expires or item.expires > now()) then return item end
      end
      local function store(key, value, lifetime)
        if items[key] == nil then
          if count >= 10000 then items, count = {}, 0 end
          count = count + 1
        end
        items[key] = {value = value, expires = lifetime and lifetime > 0 and now() + lifetime or nil}
      end
      function cache.get(_, key, options, callback, ...)
        if type(key) ~= "string" then raise("key must be a string") end
        local item = lookup(key)
        if item then return item.value, nil, 1 end
        if callback == nil then return nil end
        if type(callback) ~= "function" then raise("callback must be a function") end
        local value, failure, lifetime = callback(...)
        if failure ~= nil then return nil, failure end
        options = options or {}
        if value == nil then
          store(key, nil, options.neg_ttl or 300)
        else
          store(key, value, tonumber(lifetime) or options.ttl)
        end
        return value, nil, 3
      end
      function cache.probe(_, key)
        local item = lookup(key)
        if not item then return nil end
        return item.expires and item.expires - now() or -1, nil, item.value
      end
      function cache.safe_set(_, key, value)
        store(key, value)
        return true
      end
      function cache.invalidate(_, key) items[key] = nil end
      cache.invalidate_local = cache.invalidate
      function cache.renew(_, key, options, callback, ...)
        items[key] = nil
        return cache.get(nil, key, options, callback, ...)
      end
      function cache.purge() items, count = {}, 0 end
      return cache
    end

    -- kong.vault: references are read; this gateway has no vaults to look into.
    local function make_vault()
      local vault = {}
      function vault.is_reference(text)
        return type(text) == "string" and sub(text, 1, 9) == "{vault://" and sub(text, -1) == "}"
      end
      function vault.parse_reference(text)
        if not vault.is_reference(text) then return nil, "not a reference [" .. tostring(text) .. "]" end
        local path, query = sub(text, 10, -2):match("^([^?#]*)%??([^#]*)")
        local name, rest = path:match("^([^/]+)/?(.*)$")
        if not name then return nil, "reference is missing vault name [" .. text .. "]" end
        local resource, key = rest:match("^(.-)/([^/]*)$")
        resource = resource or rest
        if resource == "" then return nil, "reference is missing resource [" .. text .. "]" end
        local config
        if query ~= "" then config = strict["ngx.decode_args"](query) end
        return {name = name, resource = resource, key = key ~= "" and key or nil, config = config}
      end
      function vault.get(reference)
        local parsed, failure = vault.parse_reference(reference)
        if not parsed then return nil, failure end
        return nil, "could not find vault (" .. parsed.name .. ") [" .. reference .. "]"
      end
      function vault.try(callback, options) return callback(options) end
      return vault
    end

    """#
}
