/// The runtime's own Lua code: it arranges the functions of the bridge into what plugins see, and makes an environment
/// for each plugin. Trusted; runs once per state.
enum LuaPrelude {
  static let text =
    head + LuaPreludeText.kong + LuaPreludeText.modules + LuaPreludeText.penlight
    + LuaPreludeText.regex + LuaPreludeText.threads + LuaPreludeText.services
    + LuaPreludeText.sockets + LuaPreludeText.redis + LuaPreludeText.database + LuaPreludeText.cache
    + LuaPreludeText.http + LuaPreludeText.tracing + LuaPreludeText.openSSL
    + LuaPreludeText.certificates + LuaPreludeText.libraries + tail

  private static let head = #"""
    local F, N = ...
    local raise, request_table, is_waiting, is_main = N.raise, N.request_table, N.is_waiting, N.is_main
    local type, tostring, tonumber, select, pairs, ipairs, next = type, tostring, tonumber, select, pairs, ipairs, next
    local error, pcall, unpack, rawget, rawset, rawequal = error, pcall, unpack, rawget, rawset, rawequal
    local setmetatable, getmetatable, assert, print = setmetatable, getmetatable, assert, print
    local string, table, math, os, bit, jit, io, debug = string, table, math, os, bit, jit, io, debug
    local gsub, lower, find, sub, byte, rep, format = string.gsub, string.lower, string.find, string.sub, string.byte,
      string.rep, string.format
    local concat, sort = table.concat, table.sort
    local host_require, real_globals = require, _G
    local make_kong, make_ngx, make_require, beyond_kong, beyond_ngx
    local null = N.new_json().null

    -- The functions of the bridge by sandbox level.
    local strict, lax, beyond, internal = {}, {}, {}, {}
    -- The functions that are made here: by name, their level and the check of their phases.
    local declared = {}
    for name, f in pairs(F) do
      local level, rest = name:match("^(%l+):(.+)$")
      if level == "lax" then lax[rest] = f
      elseif level == "on" then beyond[rest] = f
      elseif level == "internal" then
        local own, made = rest:match("^check:(%l+):(.+)$")
        if made then declared[made] = {level = own, check = f} else internal[rest] = f end
      else strict[name] = f end
    end

    local function is_allowed(level, mode)
      if level == "strict" then return true end
      if level == "lax" then return mode ~= "strict" end
      return mode == "on" or mode == "sandbox"
    end

    -- Makers of namespaces, by their path: each gives its functions for one environment.
    local providers = {}
    local function provide(root, prefix, mode, plugin)
      for path, make in pairs(providers) do
        if sub(path, 1, #prefix) == prefix then
          for name, f in pairs(make(mode, plugin)) do
            local full = path .. "." .. name
            local entry = declared[full] or error("undeclared function " .. full)
            if is_allowed(entry.level, mode) then
              local node = root
              for part in sub(path, #prefix + 1):gmatch("[^.]+") do
                node[part] = node[part] or {}
                node = node[part]
              end
              local check = entry.check
              node[name] = type(f) == "function" and function(...)
                check()
                return f(...)
              end or f
            end
          end
        end
      end
    end

    -- A read-only view of a table; `dynamic` computes members, `assign` takes assignments (returns true if it did).
    local function view(path, real, dynamic, assign, call)
      local index = real
      if dynamic then
        index = function(_, key)
          local value = real[key]
          if value ~= nil then return value end
          return dynamic(key)
        end
      end
      return setmetatable({}, {
        __index = index,
        __newindex = function(_, key, value)
          if assign and assign(key, value) then return end
          raise("Cannot modify " .. path .. "." .. tostring(key) .. ". Protected by the sandbox.")
        end,
        __call = call,
        __metatable = false,
      })
    end

    local function copy(from, into)
      into = into or {}
      for key, value in pairs(from) do into[key] = value end
      return into
    end

    local function pick(from, names)
      local picked = {}
      for name in names:gmatch("%S+") do picked[name] = from[name] end
      return picked
    end

    -- Standard libraries.
    local function pack(...) return {n = select("#", ...), ...} end
    local table_new, table_clear = host_require("table.new"), host_require("table.clear")
    local table_clone, table_nkeys = host_require("table.clone"), host_require("table.nkeys")
    local table_isempty, table_isarray = host_require("table.isempty"), host_require("table.isarray")

    local function finish_handler(ok, ...)
      if ok then return false, ... end
      return false, "error in error handling"
    end
    local function finish_xpcall(handler, ok, ...)
      if ok then return true, ... end
      return finish_handler(pcall(handler, ...))
    end
    -- Over pcall: the handler of a real xpcall could loop where no limit reaches it.
    local function safe_xpcall(f, handler, ...) return finish_xpcall(handler, pcall(f, ...)) end

    local raw_create, raw_resume, raw_yield = coroutine.create, coroutine.resume, coroutine.yield
    local running, status = coroutine.running, coroutine.status
    -- A plugin's coroutine in which the host waits makes its resumer wait too.
    local function settle(co, ok, ...)
      if ok and is_waiting() then return settle(co, raw_resume(co, raw_yield())) end
      return ok, ...
    end
    local function resume(co, ...) return settle(co, raw_resume(co, ...)) end
    local function unwrap(ok, ...)
      if ok then return ... end
      error((...), 0)
    end
    local function wrap(f)
      local co = raw_create(f)
      return function(...) return unwrap(resume(co, ...)) end
    end
    local function yield(...)
      if is_main() then raise("attempt to yield from outside a coroutine") end
      return raw_yield(...)
    end

    local libraries = {
      string = pick(string, "byte char find format gmatch gsub len lower match rep reverse sub upper"),
      table = pick(table, "concat foreach foreachi getn insert maxn move remove sort"),
      math = pick(math, [[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min
        modf pi pow rad random sin sinh sqrt tan tanh]]),
      os = pick(os, "clock date difftime time"),
      coroutine = {create = raw_create, resume = resume, running = running, status = status, wrap = wrap,
        yield = yield},
      bit = copy(bit),
      jit = pick(jit, "os arch version version_num"),
      io = pick(io, "type"),
    }
    local tables = libraries.table
    tables.new, tables.clear, tables.clone, tables.nkeys = table_new, table_clear, table_clone, table_nkeys
    tables.isempty, tables.isarray, tables.pack, tables.unpack = table_isempty, table_isarray, pack, unpack
    N.set_string_methods(copy(libraries.string))

    -- Tables of header fields answer to any spelling.
    local loose = {
      __index = function(fields, key)
        if type(key) ~= "string" then return nil end
        return rawget(fields, (gsub(lower(key), "_", "-")))
      end,
      __metatable = false,
    }
    local function loosen(fields, failure)
      if type(fields) == "table" then setmetatable(fields, loose) end
      return fields, failure
    end

    """#

  private static let tail = #"""

    function beyond_kong() end

    function beyond_ngx(root, mode)
      root.re = copy(regex)
      if is_allowed("on", mode) then root.timer, root.shared = make_timer(), make_shared() end
    end

    -- The environment of one plugin version: its own globals, its own views of everything.
    local function environment(mode, plugin)
      local trusted = mode == "on"
      local env = pick(real_globals, "_VERSION assert error ipairs next pairs pcall select tonumber tostring type unpack")
      env._G, env.xpcall = env, safe_xpcall
      env.print = function(...) return internal["log.print"](...) end
      local functions = copy(strict)
      if mode ~= "strict" then copy(lax, functions) end
      if is_allowed("on", mode) then copy(beyond, functions) end
      env.kong, env.ngx = make_kong(functions, trusted, mode, plugin), make_ngx(functions, trusted, mode, plugin)
      for name, library in pairs(libraries) do
        env[name] = trusted and copy(library) or view(name, library)
      end
      env.require = make_require(env, trusted, mode)
      if mode == "sandbox" then
        -- The older mode: tables may be changed, and the operator adds names.
        for name, library in pairs(libraries) do env[name] = copy(library) end
        local _, names = sandbox_lists()
        for path in pairs(names) do
          local from, into, last = real_globals, env, path:match("[^.]+$")
          for part in path:gmatch("([^.]+)%.") do
            from = type(from) == "table" and from[part] or nil
            if type(into[part]) ~= "table" then into[part] = {} end
            into = into[part]
          end
          if from then into[last] = from[last] end
        end
      end
      if trusted then
        copy(pick(real_globals, [[setmetatable getmetatable rawset rawget rawequal setfenv getfenv load loadstring
          collectgarbage newproxy debug]]), env)
        env.os, env.io, env.string.dump = copy(os), io, string.dump
        env.package = {loaded = {}, path = "", cpath = ""}
      end
      return env
    end

    -- The functions of serverless plugins: by phase, one that runs the texts of the phase in order. A text that returns
    -- a function is run once; from then on its function runs in its place.
    local function sequence(texts, base)
      local chunks, handlers, count = {}, {}, #texts
      for i = 1, count do
        local own = copy(base)
        own._G = own
        local chunk, failure = N.compile(texts[i], texts[i], own)
        if not chunk then error(failure, 0) end
        chunks[i] = chunk
      end
      return function()
        for i = 1, count do
          local handler = handlers[i]
          if handler then
            handler()
          else
            local returned = chunks[i]()
            if type(returned) == "function" then
              handlers[i] = returned
              returned()
            else
              handlers[i] = chunks[i]
            end
          end
        end
      end
    end

    local function functions(mode, plugin, phases)
      local base, made = environment(mode, plugin), {}
      for phase, texts in pairs(phases) do made[phase] = sequence(texts, base) end
      return made
    end

    -- Lua in the configuration of native plugins: functions that take their argument from the host and give it their
    -- result. A text is run each time, or once and returns the function.
    local function scripts(mode, plugin, texts, return_functions)
      local base, made = environment(mode, plugin), {}
      for i = 1, #texts do
        local own = copy(base)
        own._G = own
        local chunk, failure = N.compile(texts[i], texts[i], own)
        if not chunk then error(failure, 0) end
        local handler = not return_functions and chunk
        made["script" .. i] = function()
          if not handler then
            local returned = chunk()
            if type(returned) ~= "function" then error("a text must return a function", 0) end
            handler = returned
          end
          internal["script.result"](handler(internal["script.argument"]()))
        end
      end
      return made
    end

    return {environment = environment, functions = functions, scripts = scripts, run_timer = run_timer, run_retry = run_retry,
      run_thread = run_thread}
    """#
}
