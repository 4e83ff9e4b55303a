/// Text of the runtime's Lua code: the `kong` and `ngx` tables.
enum LuaPreludeText {
  static let kong = #"""
    local json = N.new_json(true)
    local body_json = N.new_json(true)
    body_json.decode_array_with_array_mt(true)

    -- Results of the bridge's body readers: ("json", text, mime) or what the function returns.
    local function finish_body(kind, ...)
      if kind == "json" then
        local text, mime = ...
        local ok, value = pcall(body_json.decode, text)
        if not ok or type(value) ~= "table" then return nil, "invalid json body", mime end
        return value, nil, mime
      end
      return kind, ...
    end

    -- What functions do beyond the bridge.
    local wrappers = {}
    for _, name in ipairs {"kong.request.get_headers", "kong.response.get_headers", "kong.service.response.get_headers",
      "ngx.req.get_headers", "ngx.resp.get_headers"} do
      wrappers[name] = function(f) return function(...) return loosen(f(...)) end end
    end
    for _, name in ipairs {"kong.request.get_body", "kong.service.response.get_body"} do
      wrappers[name] = function(f) return function(...) return finish_body(f(...)) end end
    end

    wrappers["kong.service.request.set_body"] = function(f)
      return function(args, mime, ...)
        -- Checks the phase, before all else.
        local found, failure = internal["request.body_mime"](mime)
        if type(args) ~= "table" then raise("args must be a table") end
        if mime ~= nil and type(mime) ~= "string" then raise("mime must be a string") end
        if not found then return nil, failure end
        if find(found, "application/json", 1, true) then
          local ok, text = pcall(json.encode, args)
          if not ok then raise((gsub(text, "^%[sluice%]:%d+: ", ""))) end
          return f(text, found, mime)
        end
        return f(args, found, mime)
      end
    end

    local function merge(first, second)
      local merged = {}
      for key, value in pairs(first or {}) do merged[key] = value end
      for key, value in pairs(second or {}) do merged[key] = value end
      return merged
    end

    -- kong.log.inspect
    local function pretty(value, indent, seen)
      if type(value) == "string" then return '"' .. value .. '"' end
      if type(value) ~= "table" then return tostring(value) end
      if seen[value] then return "<cycle>" end
      seen[value] = true
      local lines, keys, count = {}, {}, 0
      for key in next, value do
        count = count + 1
        if count > 1000 then break end
        keys[count] = key
      end
      sort(keys, function(a, b)
        if type(a) == type(b) and (type(a) == "number" or type(a) == "string") then return a < b end
        return tostring(type(a)) .. tostring(a) < tostring(type(b)) .. tostring(b)
      end)
      for _, key in ipairs(keys) do
        local name = type(key) == "string" and find(key, "^[%a_][%w_]*$") and key or "[" .. pretty(key, "", seen) .. "]"
        lines[#lines + 1] = indent .. "  " .. name .. " = " .. pretty(rawget(value, key), indent .. "  ", seen)
      end
      seen[value] = nil
      if #lines == 0 then return "{}" end
      return "{\n" .. concat(lines, ",\n") .. "\n" .. indent .. "}"
    end

    local function make_log(functions)
      local log = {}
      for name, f in pairs(functions) do
        local level = name:match("^kong%.log%.([%a_]+)$")
        if level then log[level] = f end
      end
      local enabled = true
      local inspect = {
        on = function() enabled = true end,
        off = function() enabled = false end,
      }
      log.inspect = view("kong.log.inspect", inspect, nil, nil, function(_, ...)
        if not enabled then return end
        local texts = {}
        for i = 1, select("#", ...) do texts[i] = pretty((select(i, ...)), "", {}) end
        internal["log.inspect"](concat(texts, " "))
      end)
      local deprecation_level = internal["log.deprecation"]
      log.deprecation = view("kong.log.deprecation", {write = function(...) return log.deprecation(...) end}, nil, nil,
        function(_, ...)
          local count = select("#", ...)
          local options = select(count, ...)
          local texts = {}
          if type(options) == "table" then count = count - 1 else options = {} end
          for i = 1, count do texts[i] = tostring((select(i, ...))) end
          local text = concat(texts)
          local after, removal = options.after, options.removal
          if after and removal then
            text = text .. " (deprecated after " .. after .. ", scheduled for removal in " .. removal .. ")"
          elseif after then
            text = text .. " (deprecated after " .. after .. ")"
          elseif removal then
            text = text .. " (scheduled for removal in " .. removal .. ")"
          end
          deprecation_level(text)
        end)
      log.set_format = function() end
      local notice = log.notice
      return view("kong.log", log, nil, nil, function(_, ...) return notice(...) end)
    end

    -- The redacted settings; a write is refused with Kong's own sentence.
    local function frozen(value)
      if type(value) ~= "table" then return value end
      local inner = {}
      for key, item in pairs(value) do inner[key] = frozen(item) end
      return setmetatable({}, {
        __index = inner,
        __newindex = function() raise("cannot write to configuration") end,
        __len = function() return #inner end,
        __metatable = false,
      })
    end

    function make_kong(functions, trusted, mode, plugin)
      local root = {}
      for name, f in pairs(functions) do
        if sub(name, 1, 5) == "kong." then
          local node, rest = root, sub(name, 6)
          for part in rest:gmatch("([^.]+)%.") do
            node[part] = node[part] or {}
            node = node[part]
          end
          local wrapper = wrappers[name]
          node[rest:match("[^.]+$")] = wrapper and wrapper(f) or f
        end
      end
      beyond_kong(root, mode)
      provide(root, "kong.", mode, plugin)
      root.table = {new = table_new, clear = table_clear, merge = merge}
      root.version, root.version_num = internal["node.version"]()
      root.default_workspace = internal["node.default_workspace"]()
      root.configuration = frozen(internal["node.configuration"]())

      local function close(path, node)
        for key, value in pairs(node) do
          if type(value) == "table" and key ~= "configuration" then node[key] = close(path .. "." .. key, value) end
        end
        return view(path, node)
      end
      root.log = nil
      local closed = {}
      for key, value in pairs(root) do
        closed[key] = type(value) == "table" and key ~= "configuration" and close("kong." .. key, value) or value
      end
      closed.log = make_log(functions)
      closed.ctx = view("kong.ctx", {}, function(key)
        if key == "shared" then return request_table("shared") end
        if key == "plugin" then return request_table() end
      end)
      return view("kong", closed, nil, trusted and function(key, value)
        rawset(closed, key, value)
        return true
      end)
    end

    local constants = {
      OK = 0, ERROR = -1, AGAIN = -2, DONE = -4, DECLINED = -5, null = null,
      HTTP_GET = 2, HTTP_HEAD = 4, HTTP_POST = 8, HTTP_PUT = 16, HTTP_DELETE = 32, HTTP_MKCOL = 64, HTTP_COPY = 128,
      HTTP_MOVE = 256, HTTP_OPTIONS = 512, HTTP_PROPFIND = 1024, HTTP_PROPPATCH = 2048, HTTP_LOCK = 4096,
      HTTP_UNLOCK = 8192, HTTP_PATCH = 16384, HTTP_TRACE = 32768, HTTP_CONTINUE = 100, HTTP_SWITCHING_PROTOCOLS = 101,
      HTTP_OK = 200, HTTP_CREATED = 201, HTTP_ACCEPTED = 202, HTTP_NO_CONTENT = 204, HTTP_PARTIAL_CONTENT = 206,
      HTTP_SPECIAL_RESPONSE = 300, HTTP_MOVED_PERMANENTLY = 301, HTTP_MOVED_TEMPORARILY = 302, HTTP_SEE_OTHER = 303,
      HTTP_NOT_MODIFIED = 304, HTTP_TEMPORARY_REDIRECT = 307, HTTP_PERMANENT_REDIRECT = 308, HTTP_BAD_REQUEST = 400,
      HTTP_UNAUTHORIZED = 401, HTTP_PAYMENT_REQUIRED = 402, HTTP_FORBIDDEN = 403, HTTP_NOT_FOUND = 404,
      HTTP_NOT_ALLOWED = 405, HTTP_NOT_ACCEPTABLE = 406, HTTP_REQUEST_TIMEOUT = 408, HTTP_CONFLICT = 409,
      HTTP_GONE = 410, HTTP_UPGRADE_REQUIRED = 426, HTTP_TOO_MANY_REQUESTS = 429, HTTP_CLOSE = 444,
      HTTP_ILLEGAL = 451, HTTP_INTERNAL_SERVER_ERROR = 500, HTTP_METHOD_NOT_IMPLEMENTED = 501,
      HTTP_NOT_IMPLEMENTED = 501, HTTP_BAD_GATEWAY = 502, HTTP_SERVICE_UNAVAILABLE = 503, HTTP_GATEWAY_TIMEOUT = 504,
      HTTP_VERSION_NOT_SUPPORTED = 505, HTTP_INSUFFICIENT_STORAGE = 507,
      STDERR = 0, EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
      is_subrequest = false,
    }

    -- What the gateway itself keeps in ngx.ctx, as far as plugins read it there.
    local gateway_readers = {
      route = strict["kong.router.get_route"], service = strict["kong.router.get_service"],
      authenticated_consumer = strict["kong.client.get_consumer"],
      authenticated_credential = strict["kong.client.get_credential"],
    }
    local gateway_fields = {
      __index = function(_, key)
        local read = gateway_readers[key]
        if not read then return nil end
        local ok, value = pcall(read)
        if ok then return value end
      end,
      __metatable = false,
    }

    function make_ngx(functions, trusted, mode, plugin)
      local root = copy(constants)
      for name, f in pairs(functions) do
        if sub(name, 1, 4) == "ngx." then
          local node, rest = root, sub(name, 5)
          for part in rest:gmatch("([^.]+)%.") do
            node[part] = node[part] or {}
            node = node[part]
          end
          local wrapper = wrappers[name]
          node[rest:match("[^.]+$")] = wrapper and wrapper(f) or f
        end
      end
      root.config = {subsystem = "http", nginx_version = 1027001, ngx_lua_version = 10028, debug = false,
        prefix = function() return "" end, nginx_configure = function() return "" end}
      beyond_ngx(root, mode)
      provide(root, "ngx.", mode, plugin)
      for key, value in pairs(root) do
        if type(value) == "table" and key ~= "shared" then root[key] = view("ngx." .. key, value) end
      end
      local get_variable, set_variable = internal["ngx.get_variable"], internal["ngx.set_variable"]
      local get_header, set_header = internal["ngx.get_response_header"], internal["ngx.set_response_header"]
      local get_argument, set_argument = internal["ngx.get_argument"], internal["ngx.set_argument"]
      local get_status, set_status = internal["ngx.get_status"], internal["ngx.set_status"]
      local headers_sent = internal["ngx.headers_sent"]
      root.var = setmetatable({}, {
        __index = function(_, key) return get_variable(key) end,
        __newindex = function(_, key, value) set_variable(key, value) end,
        __metatable = false,
      })
      root.header = setmetatable({}, {
        __index = function(_, key) return get_header(key) end,
        __newindex = function(_, key, value) set_header(key, value) end,
        __metatable = false,
      })
      root.arg = setmetatable({}, {
        __index = function(_, key) return get_argument(key) end,
        __newindex = function(_, key, value) set_argument(key, value) end,
        __metatable = false,
      })
      return view("ngx", root, function(key)
        if key == "status" then return get_status() end
        if key == "ctx" then
          local context = request_table("ngx")
          if type(context) == "table" and getmetatable(context) == nil then setmetatable(context, gateway_fields) end
          return context
        end
        if key == "headers_sent" then return headers_sent() end
      end, function(key, value)
        if key == "status" then
          set_status(value)
          return true
        end
        if key == "ctx" then
          N.set_request_table("ngx", value)
          return true
        end
        if trusted then
          rawset(root, key, value)
          return true
        end
      end)
    end

    """#
}
