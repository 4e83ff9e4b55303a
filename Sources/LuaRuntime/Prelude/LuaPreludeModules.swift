extension LuaPreludeText {
  /// Text of the runtime's Lua code: what `require` gives.
  static let modules = #"""
    -- Modules that are made anew for each environment.
    local modules = {}

    local function make_cjson(trusted, settings)
      local instance = N.new_json(trusted)
      if settings then settings(instance) end
      if not trusted then
        -- The real metatables are shared by the state; without setmetatable nobody can use them anyway.
        instance.array_mt, instance.empty_array_mt = {}, {}
      end
      instance.new = function() return make_cjson(trusted) end
      return instance
    end
    local function make_safe(instance)
      local encode, decode = instance.encode, instance.decode
      local function attempt(ok, ...)
        if ok then return ... end
        return nil, (gsub(tostring((...)), "^.-:%d+: ", ""))
      end
      instance.encode = function(...) return attempt(pcall(encode, ...)) end
      instance.decode = function(...) return attempt(pcall(decode, ...)) end
      return instance
    end
    modules["cjson"] = function(trusted) return make_cjson(trusted) end
    modules["cjson.safe"] = function(trusted)
      local instance = make_safe(make_cjson(trusted))
      instance.new = function() return make_safe(make_cjson(trusted)) end
      return instance
    end
    modules["kong.tools.cjson"] = function(trusted)
      local instance = make_safe(make_cjson(trusted, function(made)
        made.decode_array_with_array_mt(true)
        made.encode_number_precision(16)
      end))
      instance.decode_with_array_mt = instance.decode
      return instance
    end
    modules["bit"] = function() return copy(bit) end
    modules["table.new"] = function() return table_new end
    modules["table.clear"] = function() return table_clear end
    modules["table.clone"] = function() return table_clone end
    modules["table.nkeys"] = function() return table_nkeys end
    modules["table.isempty"] = function() return table_isempty end
    modules["table.isarray"] = function() return table_isarray end

    modules["ngx.base64"] = function()
      return {
        encode_base64url = internal["text.encode_base64url"], decode_base64url = internal["text.decode_base64url"],
        encode_base64mime = strict["ngx.encode_base64"], decode_base64mime = strict["ngx.decode_base64"],
      }
    end

    local function to_hex(text)
      if type(text) ~= "string" then raise("bad argument #1 (string expected, got " .. type(text) .. ")") end
      return internal["text.hex"](text)
    end
    modules["resty.string"] = function() return {to_hex = to_hex, atoi = tonumber} end

    local function make_digest(name)
      return function()
        local digest = {}
        local methods = {
          update = function(self, text)
            self.parts[#self.parts + 1] = tostring(text)
            return true
          end,
          final = function(self) return internal["text.digest"](name, concat(self.parts)) end,
          reset = function(self)
            self.parts = {}
            return true
          end,
        }
        digest.new = function() return setmetatable({parts = {}}, {__index = methods, __metatable = false}) end
        return digest
      end
    end
    for _, name in ipairs {"md5", "sha1", "sha256", "sha384", "sha512"} do modules["resty." .. name] = make_digest(name) end
    modules["kong.tools.sha256"] = function()
      return {
        sha256_bin = function(text) return internal["text.digest"]("sha256", text) end,
        sha256_hex = function(text) return to_hex(internal["text.digest"]("sha256", text)) end,
        sha256_base64 = function(text) return strict["ngx.encode_base64"](internal["text.digest"]("sha256", text)) end,
      }
    end
    modules["resty.random"] = function()
      return {bytes = function(count) return internal["text.random_bytes"](count) end}
    end

    local function uuid() return internal["text.uuid"]() end
    local uuid_pattern = "^" .. rep("%x", 8) .. rep("%-" .. rep("%x", 4), 3) .. "%-" .. rep("%x", 12) .. "$"
    local function is_uuid(text) return type(text) == "string" and find(text, uuid_pattern) ~= nil end
    modules["kong.tools.uuid"] = function() return {uuid = uuid, is_valid_uuid = is_uuid} end
    modules["resty.jit-uuid"] = function()
      return setmetatable({generate_v4 = uuid, is_valid = is_uuid, seed = function() end}, {
        __call = function() return uuid() end, __metatable = false,
      })
    end
    modules["kong.tools.rand"] = function()
      return {
        random_string = function()
          return (gsub(internal["text.encode_base64url"](internal["text.random_bytes"](24)), "[-_]", "a"))
        end,
        get_rand_bytes = function(count) return internal["text.random_bytes"](count) end,
      }
    end

    local function split(text, separator, plain, limit)
      local parts, place, count = {}, 1, 0
      if separator == nil or separator == "" then
        for word in text:gmatch("%S+") do parts[#parts + 1] = word end
        return parts
      end
      while true do
        local from, to = find(text, separator, place, plain)
        if not from or to < from or (limit and count + 1 >= limit) then break end
        count = count + 1
        parts[count] = sub(text, place, from - 1)
        place = to + 1
      end
      parts[count + 1] = sub(text, place)
      return parts
    end
    local function strip(text)
      if text == nil then return "" end
      return (gsub(gsub(tostring(text), "^%s+", ""), "%s+$", ""))
    end
    modules["kong.tools.string"] = function()
      return {
        strip = strip,
        split = function(text, separator) return split(text, separator or ",", true) end,
        splitn = function(text, separator, limit) return split(text, separator or ",", true, limit) end,
        isplitn = function(text, separator, limit) return ipairs(split(text, separator or ",", true, limit)) end,
        to_hex = to_hex,
        validate_utf8 = function(text) return internal["text.is_utf8"](tostring(text)) end,
        replace_dashes = function(text) return (gsub(text, "%-", "_")) end,
        replace_dashes_lower = function(text) return (gsub(lower(text), "%-", "_")) end,
        bytes_to_str = function(bytes, unit)
          local units = {k = {1024, "KiB"}, m = {1048576, "MiB"}, g = {1073741824, "GiB"}}
          local chosen = units[lower(unit or "b")]
          if not chosen then return bytes end
          return format("%.2f %s", bytes / chosen[1], chosen[2])
        end,
      }
    end

    local function deep_copy(value, seen)
      if type(value) ~= "table" then return value end
      if seen[value] then return seen[value] end
      local result = {}
      seen[value] = result
      for key, item in next, value do result[deep_copy(key, seen)] = deep_copy(item, seen) end
      return setmetatable(result, getmetatable(value) or nil)
    end
    modules["kong.tools.table"] = function()
      return {
        table_contains = function(list, wanted)
          for _, value in pairs(list or {}) do if value == wanted then return true end end
          return false
        end,
        is_array = function(value) return type(value) == "table" and table_isarray(value) end,
        deep_copy = function(value) return deep_copy(value, {}) end,
        cycle_aware_deep_copy = function(value) return deep_copy(value, {}) end,
        shallow_copy = function(value) return type(value) == "table" and copy(value) or value end,
        table_merge = merge,
        table_path = function(value, path)
          for part in path:gmatch("[^.]+") do
            if type(value) ~= "table" then return nil end
            value = value[part]
          end
          return value
        end,
        concat = function(...)
          local result = {}
          for i = 1, select("#", ...) do
            for _, value in ipairs((select(i, ...))) do result[#result + 1] = value end
          end
          return result
        end,
        pack = pack, unpack = function(packed, from, to) return unpack(packed, from or 1, to or packed.n or #packed) end,
        null = null,
      }
    end
    modules["kong.tools.time"] = function()
      return {
        time_ns = function() return strict["ngx.now"]() * 1e9 end, get_now_ms = function()
          return math.floor(strict["ngx.now"]() * 1000)
        end,
        get_now = strict["ngx.now"],
      }
    end
    modules["kong.tools.timestamp"] = function()
      return {get_utc = function() return math.floor(strict["ngx.now"]() * 1000) end}
    end
    modules["kong.tools.uri"] = function()
      return {escape = function(text) return strict["ngx.escape_uri"](text, 0) end,
        unescape = strict["ngx.unescape_uri"]}
    end
    modules["kong.tools.ip"] = function()
      return {
        is_valid_ip = function(text) return internal["text.ip_version"](text) ~= nil end,
        is_valid_ipv4 = function(text) return internal["text.ip_version"](text) == 4 end,
        is_valid_ipv6 = function(text) return internal["text.ip_version"](text) == 6 end,
      }
    end
    modules["kong.meta"] = function()
      local version, number = internal["node.version"]()
      local short = version:match("^%d+%.%d+%.%d+")
      return {_VERSION = short, version = short, _NAME = "kong", core_version = version, version_num = number}
    end
    modules["kong.constants"] = function()
      return {
        HEADERS = {
          HOST_OVERRIDE = "X-Host-Override", PROXY_LATENCY = "X-Kong-Proxy-Latency",
          RESPONSE_LATENCY = "X-Kong-Response-Latency", ADMIN_LATENCY = "X-Kong-Admin-Latency",
          UPSTREAM_LATENCY = "X-Kong-Upstream-Latency", UPSTREAM_STATUS = "X-Kong-Upstream-Status",
          CONSUMER_ID = "X-Consumer-ID", CONSUMER_CUSTOM_ID = "X-Consumer-Custom-ID",
          CONSUMER_USERNAME = "X-Consumer-Username", CREDENTIAL_IDENTIFIER = "X-Credential-Identifier",
          RATELIMIT_LIMIT = "X-RateLimit-Limit", RATELIMIT_REMAINING = "X-RateLimit-Remaining",
          CONSUMER_GROUPS = "X-Consumer-Groups", AUTHENTICATED_GROUPS = "X-Authenticated-Groups",
          FORWARDED_HOST = "X-Forwarded-Host", FORWARDED_PATH = "X-Forwarded-Path",
          FORWARDED_PREFIX = "X-Forwarded-Prefix", ANONYMOUS = "X-Anonymous-Consumer", VIA = "Via", SERVER = "Server",
          REQUEST_ID = "X-Kong-Request-Id", TOTAL_LATENCY = "X-Kong-Total-Latency",
        },
        RATELIMIT = {PERIODS = {"second", "minute", "hour", "day", "month", "year"}},
      }
    end

    -- Modules that may be required in a mode: nil, or the sentence that refuses.
    local module_level, sandbox_lists = internal["module.level"], internal["sandbox.lists"]
    local function refusal(name, mode)
      local level, reason = module_level(name)
      if mode == "on" then
        if level or modules[name] then return nil end
        if reason then return "module '" .. name .. "' is not provided: " .. reason end
        return "module '" .. name .. "' not found:\n\tno such module in this gateway"
      end
      if mode == "sandbox" then
        if not sandbox_lists()[name] then return "require '" .. name .. "' not allowed within sandbox" end
        if level or modules[name] then return nil end
        return "module '" .. name .. "' not found:\n\tno such module in this gateway"
      end
      if level == "strict" or (level == "lax" and mode == "lax") then return nil end
      if reason then return "require '" .. name .. "' not allowed within sandbox: " .. reason end
      if level then
        return "require '" .. name .. "' not allowed within sandbox: it needs the network, and so untrusted_lua = lax"
      end
      return "require '" .. name .. "' not allowed within sandbox"
    end

    function make_require(env, trusted, mode)
      local loaded = {}
      return function(name)
        if type(name) ~= "string" then raise("bad argument #1 to 'require' (string expected)") end
        local module = loaded[name]
        if module ~= nil then return module end
        if trusted and (name == "ffi" or name == "string.buffer") then return host_require(name) end
        local sentence = refusal(name, mode)
        if sentence then raise(sentence) end
        local make = modules[name]
        module = make(trusted)
        if type(module) == "table" and not trusted then
          for key, value in pairs(module) do
            if type(value) == "table" then module[key] = view(name .. "." .. tostring(key), value) end
          end
          local call = getmetatable(module)
          module = view(name, module, nil, nil, call and call.__call)
        end
        loaded[name] = module
        return module
      end
    end

    """#
}
