import CLuaBridge
import CLuaJIT
import Foundation

/// A state that has LuaJIT's own pattern functions beside those of the runtime, and calls both with random arguments.
struct PatternComparison {
  let seed: UInt64

  struct Failure: Error { let message: String }

  /// The first call on which both differ, as text; nil if there is none.
  func firstDifference(rounds: Int) throws -> String? {
    let guardMemory = UnsafeMutablePointer<slu_guard>.allocate(capacity: 1)
    guardMemory.initialize(to: slu_guard())
    defer { guardMemory.deallocate() }
    let state = lua_newstate(
      { _, block, _, size in
        guard size > 0 else {
          free(block)
          return nil
        }
        return realloc(block, size)
      }, guardMemory)
    guard let state else { throw Failure(message: "no state") }
    defer { lua_close(state) }
    luaL_openlibs(state)
    try run("old = {} for name, f in pairs(string) do old[name] = f end", state)
    slu_open_guarded(state)
    try run("seed, rounds = \(seed), \(rounds)", state)
    try run(Self.script, state)
    return lua_type(state, -1) == LUA_TSTRING ? lua_tolstring(state, -1, nil).map { String(cString: $0) } : nil
  }

  private func run(_ text: String, _ state: OpaquePointer) throws {
    lua_settop(state, 0)
    if luaL_loadstring(state, text) != 0 || lua_pcall(state, 0, 1, 0) != 0 {
      throw Failure(message: lua_tolstring(state, -1, nil).map { String(cString: $0) } ?? "")
    }
  }

  private static let script = #"""
    math.randomseed(seed)
    local R = math.random
    local atoms = {"a", "b", "c", ".", "%a", "%d", "%s", "%w", "%p", "%x", "%l", "%u", "%z", "%c", "%g", "%A", "%W",
      "%S", "%Z", "[ab]", "[^a]", "[a-c]", "[%d_]", "[]]", "[^]]", "%%", "%.", "(", "(", ")", ")", "()", "%1", "%2", "^", "$",
      "%b()", "%bab", "%f[%w]", "%f[^a]", "-", "*", "+", "?", "a*", "b-", ".-", ".*", "c?", "%", "[", "\0", "[a-", "%f",
      "[%a-z]", "%b", " ", "1", "\195\169", "[\128-\255]"}
    local letters = {"a", "b", "c", "A", "1", "_", " ", "(", ")", ".", "%", "]", "\0", "\195\169", "-"}
    local replacements = {"x", "%0", "%1", "<%1%2>", "%", "%%", "", "%x"}
    local function pick(list, most)
      local parts = {}
      for i = 1, R(0, most) do parts[i] = list[R(#list)] end
      return table.concat(parts)
    end
    local function show(...)
      local parts = {}
      for i = 1, select("#", ...) do
        local value = select(i, ...)
        parts[i] = type(value) .. ":" .. tostring(value)
      end
      return table.concat(parts, "|")
    end
    local function words(gmatch, subject, pattern)
      local found, count = {}, 0
      local ok, failure = pcall(function()
        for a, b, c in gmatch(subject, pattern) do
          count = count + 1
          found[count] = show(a, b, c)
          if count > 50 then break end
        end
      end)
      return show(ok, failure and failure:gsub("^.-:%d+: ", ""), table.concat(found, ","))
    end
    for round = 1, rounds do
      local subject, pattern = pick(letters, 12), pick(atoms, 6)
      local from, plain = R(4) == 1 and R(-14, 14) or nil, R(10) == 1
      local replacement, most = replacements[R(#replacements)], R(4) == 1 and R(-1, 4) or nil
      local kind = R(5)
      if kind == 1 then
        replacement = {a = "z", b = 1, c = false, [""] = "E"}
      elseif kind == 2 then
        replacement = function(x, y) return y or x end
      elseif kind == 3 then
        replacement = function(x) if x ~= "a" then return {} end end
      end
      local text, count, separator = pick(letters, 3), R(-2, 9), R(2) == 1 and pick(letters, 2) or nil
      for name, call in pairs {
        find = function(lib) return show(pcall(lib.find, subject, pattern, from, plain)) end,
        match = function(lib) return show(pcall(lib.match, subject, pattern, from)) end,
        gsub = function(lib) return show(pcall(lib.gsub, subject, pattern, replacement, most)) end,
        gmatch = function(lib) return words(lib.gmatch, subject, pattern) end,
        rep = function(lib) return show(pcall(lib.rep, text, count, separator)) end,
      } do
        local expected, got = call(old), call(string)
        if expected ~= got then
          return ("%s of %q with %q, %s, %s: %q is expected, not %q"):format(name, subject, pattern, tostring(from),
            show(replacement, most), expected, got)
        end
      end
    end
    """#
}
