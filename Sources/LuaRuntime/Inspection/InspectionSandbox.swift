/// The environment in which the chunks of a streamed plugin are looked at, as trusted Lua text.
///
/// It gets the data of `InspectionEnvironment` and returns the globals of the chunk. The schema chunk has the Lua
/// library and a few modules; the handler chunk has `kong`, `ngx` and the modules of the strict sandbox besides, all of
/// them inert: top-level code may keep references to them, but nothing happens.
/// Source: Kong fact, pdk §8 and schema-library §8.
enum InspectionSandbox {
  static let bootstrap = #"""
    local data = ...
    local setmetatable, error, type, pairs, ipairs, tostring, tonumber, pcall, select =
      setmetatable, error, type, pairs, ipairs, tostring, tonumber, pcall, select
    string.dump = nil

    local modules = { bit = bit }
    for _, name in ipairs({ "clear", "clone", "isarray", "isempty", "new", "nkeys" }) do
      local found, module = pcall(require, "table." .. name)
      if found then
        modules["table." .. name] = module
        table[name] = module
      end
    end
    table.pack = table.pack or function(...) return { n = select("#", ...), ... } end
    table.unpack = table.unpack or unpack

    local function protect(path, visible)
      return setmetatable({}, {
        __index = visible,
        __newindex = function(_, key)
          error("Cannot modify " .. path .. "." .. tostring(key) .. ". Protected by the sandbox.", 2)
        end,
        __metatable = false,
      })
    end

    local function part(path, source, names)
      local visible = {}
      for _, name in ipairs(names) do visible[name] = source[name] end
      return protect(path, visible)
    end

    local function handled(succeeded, ...)
      if succeeded then return false, ... end
      return false, "error in error handling"
    end
    local function caught(handler, succeeded, ...)
      if succeeded then return true, ... end
      return handled(pcall(handler, ...))
    end

    local environment = {
      _VERSION = _VERSION, assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
      print = function() end, select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = unpack,
      -- A handler that loops under the real xpcall could not be stopped.
      xpcall = function(callee, handler, ...) return caught(handler, pcall(callee, ...)) end,
      io = protect("io", { type = io.type }),
    }
    environment._G = environment
    modules.bit = part("bit", bit, {
      "arshift", "band", "bnot", "bor", "bswap", "bxor", "lshift", "rol", "ror", "rshift", "tobit", "tohex",
    })
    environment.bit = modules.bit
    for path, names in pairs(data.libraries) do environment[path] = part(path, _G[path], names) end
    for _, name in ipairs({ "coroutine", "math", "string", "table" }) do modules[name] = environment[name] end

    -- kong.db.schema.typedefs and kong.tools.redis.schema
    local function copy(value)
      if type(value) ~= "table" then return value end
      local result = {}
      for key, item in pairs(value) do result[key] = copy(item) end
      return result
    end

    local overridable = {
      __call = function(definition, overrides)
        if type(overrides) ~= "table" then error("schema typedef error: expected a table of overrides", 2) end
        local result = copy(definition)
        for key, value in pairs(overrides) do result[key] = value end
        return result
      end,
    }
    if data.typedefs then
      for name, definition in pairs(data.typedefs) do data.typedefs[name] = setmetatable(definition, overridable) end
      modules["kong.db.schema.typedefs"] = setmetatable({}, {
        __index = function(_, name)
          local definition = data.typedefs[name]
          if not definition then
            error("schema typedef error: definition " .. tostring(name) .. " does not exist", 2)
          end
          return definition
        end,
        __newindex = function(_, name)
          error("Cannot modify typedefs." .. tostring(name) .. ". Protected by the sandbox.", 2)
        end,
        __metatable = false,
      })
    end
    if data.redis then modules["kong.tools.redis.schema"] = data.redis end

    -- kong, ngx and modules for the handler
    if data.is_handler then
      local nothing
      local function zero() return 0 end
      local function empty() return "" end
      local function itself() return nothing end
      nothing = setmetatable({}, {
        __index = itself, __call = itself, __newindex = function() end, __concat = empty, __tostring = empty,
        __add = zero, __sub = zero, __mul = zero, __div = zero, __mod = zero, __pow = zero, __unm = zero, __len = zero,
        __lt = function() return false end, __le = function() return false end, __metatable = false,
      })

      -- Functions of a request exist, but there is no request while a plugin is loaded.
      local function only_in_phases(path, members)
        return setmetatable({}, {
          __index = function(_, name)
            if members and members[name] ~= nil then return members[name] end
            return function()
              error(path .. "." .. tostring(name) ..
                " cannot be called while the plugin is loaded; call it in a phase", 2)
            end
          end,
          __newindex = function(_, name)
            error("Cannot modify " .. path .. "." .. tostring(name) .. ". Protected by the sandbox.", 2)
          end,
          __metatable = false,
        })
      end

      local kong = {
        version = data.kong_version, version_num = data.kong_version_number, ctx = protect("kong.ctx", {}),
        configuration = nothing,
        service = only_in_phases("kong.service", {
          request = only_in_phases("kong.service.request"), response = only_in_phases("kong.service.response"),
        }),
        table = protect("kong.table", {
          new = table.new or function() return {} end,
          clear = table.clear or function(t) for key in pairs(t) do t[key] = nil end end,
          merge = function(first, second)
            local result = {}
            for key, value in pairs(first or {}) do result[key] = value end
            for key, value in pairs(second or {}) do result[key] = value end
            return result
          end,
        }),
      }
      for _, name in ipairs(data.request_namespaces) do kong[name] = only_in_phases("kong." .. name) end
      for _, name in ipairs(data.inert_namespaces) do kong[name] = nothing end
      environment.kong = protect("kong", kong)

      local ngx = data.ngx_constants
      ngx.null = data.null
      ngx.now, ngx.time = os.time, os.time
      ngx.ctx = {}
      for _, name in ipairs(data.ngx_absent) do ngx[name] = false end
      environment.ngx = setmetatable({}, {
        __index = function(_, name)
          local value = ngx[name]
          if value == nil then return nothing end
          return value or nil
        end,
        __newindex = function(_, name)
          error("Cannot modify ngx." .. tostring(name) .. ". Protected by the sandbox.", 2)
        end,
        __metatable = false,
      })
      for _, name in ipairs(data.modules) do
        if modules[name] == nil then modules[name] = data.module_values[name] or nothing end
      end
    end

    if data.is_trusted then
      for _, name in ipairs({ "setmetatable", "getmetatable", "rawget", "rawset", "rawequal", "setfenv", "getfenv" }) do
        environment[name] = _G[name]
      end
    end

    function environment.require(name)
      local module = modules[name]
      if module == nil then
        local reason = data.refused_modules and data.refused_modules[name]
        for _, family in ipairs(data.refused_families or {}) do
          if not reason and tostring(name):sub(1, #family[1]) == family[1] then reason = family[2] end
        end
        error("require '" .. tostring(name) .. "' not allowed within sandbox" .. (reason and ": " .. reason or ""), 2)
      end
      return module
    end

    return environment
    """#
}
