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

    """#
}
