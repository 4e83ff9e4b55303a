extension LuaPreludeText {
  /// Text of the runtime's Lua code: `resty.redis`, a client that speaks RESP 2 over the sockets of the loop.
  /// Source: Kong fact, pdk §8 (lax); the Redis serialization protocol specification.
  static let redis = #"""
    do
    local function request_of(command, ...)
      local count = select("#", ...)
      local words, first = {...}, (...)
      if count == 1 and type(first) == "table" then words, count = first, #first end
      local parts = {"*" .. (count + 1), "$" .. #command, command}
      for i = 1, count do
        local word = words[i]
        if type(word) ~= "string" then word = tostring(word) end
        parts[#parts + 1] = "$" .. #word
        parts[#parts + 1] = word
      end
      return concat(parts, "\r\n") .. "\r\n"
    end

    -- A value; nil and a sentence if the connection fails; false and a sentence if the server refuses.
    local function read_reply(socket, depth)
      if depth > 32 then return nil, "reply nested too deeply" end
      local line, failure = socket:receive()
      if not line then
        if failure == "timeout" then socket:close() end
        return nil, failure
      end
      local kind, rest = sub(line, 1, 1), sub(line, 2)
      if kind == "+" then return rest end
      if kind == "-" then return false, rest end
      if kind == ":" then return tonumber(rest) end
      local size = tonumber(rest)
      if (kind ~= "$" and kind ~= "*") or not size then return nil, "unknown prefix: \"" .. kind .. "\"" end
      if size < 0 then return null end
      if kind == "$" then
        local data, problem = socket:receive(size)
        if not data then
          if problem == "timeout" then socket:close() end
          return nil, problem
        end
        local ending, lost = socket:receive(2)
        if not ending then return nil, lost end
        return data
      end
      local values = {}
      for i = 1, size do
        local value, problem = read_reply(socket, depth + 1)
        if value == nil then return nil, problem end
        values[i] = value == false and {false, problem} or value
      end
      return values
    end

    modules["resty.redis"] = function()
      local module = {_VERSION = "0.30", null = null}
      function module.add_commands() end
      function module.register_module_prefix() end
      function module.new()
        local socket, pending = make_socket(), nil
        local redis, methods = {}, {null = null}
        local function run(command, ...)
          local text = request_of(command, ...)
          if pending then
            pending[#pending + 1] = text
            return nil
          end
          local sent, failure = socket:send(text)
          if not sent then return nil, failure end
          return read_reply(socket, 0)
        end
        function methods.set_timeout(_, time) socket:settimeout(time) end
        function methods.set_timeouts(_, connect, send, read) socket:settimeouts(connect, send, read) end
        function methods.connect(_, host, port, options)
          if type(port) == "table" then port, options = nil, port end
          options = type(options) == "table" and options or {}
          local ok, failure = socket:connect(host, port, {pool = options.pool, pool_size = options.pool_size,
            backlog = options.backlog})
          if not ok then return nil, failure end
          if options.ssl and (socket:getreusedtimes() or 0) == 0 then
            local secured, problem = socket:sslhandshake(false, options.server_name, options.ssl_verify)
            if not secured then return nil, "failed to do ssl handshake: " .. tostring(problem) end
          end
          return ok
        end
        function methods.set_keepalive(_, ...) return socket:setkeepalive(...) end
        function methods.get_reused_times() return socket:getreusedtimes() end
        methods.getreusedtimes = methods.get_reused_times
        function methods.close() return socket:close() end
        function methods.read_reply() return read_reply(socket, 0) end
        function methods.init_pipeline() pending = {} end
        function methods.cancel_pipeline() pending = nil end
        function methods.commit_pipeline()
          local commands = pending
          if not commands then return nil, "no pipeline" end
          pending = nil
          if #commands == 0 then return {} end
          local sent, failure = socket:send(concat(commands))
          if not sent then return nil, failure end
          local values = {}
          for i = 1, #commands do
            local value, problem = read_reply(socket, 0)
            if value == nil then return nil, problem end
            values[i] = value == false and {false, problem} or value
          end
          return values
        end
        function methods.hmset(_, name, first, ...)
          if type(first) ~= "table" then return run("hmset", name, first, ...) end
          local words = {name}
          for key, value in pairs(first) do
            words[#words + 1] = key
            words[#words + 1] = value
          end
          return run("hmset", unpack(words))
        end
        function methods.array_to_hash(_, list)
          local hash = {}
          for i = 1, #list, 2 do hash[list[i]] = list[i + 1] end
          return hash
        end
        -- Every other name is a command.
        return setmetatable(redis, {
          __index = function(_, name)
            local method = methods[name]
            if method ~= nil or type(name) ~= "string" or name == "" or find(name, "[^%w_]") then return method end
            method = function(_, ...) return run(name, ...) end
            methods[name] = method
            return method
          end,
          __metatable = false,
        })
      end
      return module
    end
    end

    """#
}
