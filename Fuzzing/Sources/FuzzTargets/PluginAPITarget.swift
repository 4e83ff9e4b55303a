import PluginKit

@testable import LuaRuntime

/// Calls of the plugin API and of the libraries with arguments made of the input's bytes: the phase, and then calls,
/// each a function's number, the number of its arguments and those.
struct PluginAPITarget {
  private static let phases: [Phase] = [.rewrite, .access, .headerFilter, .bodyFilter, .log]

  /// Every function that a strict plugin has, but those of the network.
  private static let functions: [String] =
    PDKNamespaces.all.filter { $0.level == .strict }.map(\.name).sorted()
    + ["string", "table", "math", "os", "bit"].flatMap { library in
      (libraries[library] ?? []).map { "\(library).\($0)" }
    }
    + [
      "cjson.encode", "cjson.decode", "cjson.encode_sparse_array", "cjson.encode_max_depth", "cjson.decode_max_depth",
      "ngx.re.match", "ngx.re.find", "ngx.re.gsub", "ngx.re.sub", "ngx.re.gmatch", "kong.table.merge",
      "kong.log.inspect", "kong.ctx.shared.x", "tostring", "tonumber", "select", "unpack", "xpcall", "error", "assert",
      "coroutine.wrap", "coroutine.resume", "ngx.var.uri", "kong.tools.string.split", "kong.tools.table.deep_copy",
    ]

  private static let libraries: [String: [String]] = [
    "string": ["byte", "char", "find", "format", "gmatch", "gsub", "len", "lower", "match", "rep", "reverse", "sub"],
    "table": [
      "clear", "clone", "concat", "foreach", "getn", "insert", "isarray", "isempty", "maxn", "move", "new", "nkeys",
      "remove", "sort",
    ],
    "math": ["random", "ldexp", "frexp", "fmod", "max", "min"], "os": ["date", "time", "difftime"],
    "bit": ["lshift", "tohex", "band", "bswap", "rol"],
  ]

  private static let head = """
    local roots = {kong = kong, ngx = ngx, string = string, table = table, math = math, os = os, bit = bit,
      cjson = require("cjson"), coroutine = coroutine, tostring = tostring, tonumber = tonumber, select = select,
      unpack = unpack, xpcall = xpcall, error = error, assert = assert}
    local tools = {string = require("kong.tools.string"), table = require("kong.tools.table")}
    local function find(path)
      local value = roots
      local inner = path:match("^kong%.tools%.(.+)$")
      if inner then value, path = tools, inner end
      for part in path:gmatch("[^.]+") do value = value[part] end
      return value
    end
    local last
    local function call(path, ...)
      local found, f = pcall(find, path)
      if found then
        local ok, result = pcall(f, ...)
        if ok then last = result end
      end
    end
    local H = {PRIORITY = 1, VERSION = "1.0"}
    local function work()

    """

  private let bench = LuaBench(cpuMilliseconds: 20)

  func run(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 2 else { return }
    var reader = CallReader(bytes, functions: Self.functions)
    let phase = Self.phases[reader.number(below: Self.phases.count)]
    let calls = reader.calls()
    let text = Self.head + calls + "end\nH.\(phase.name) = work\nreturn H\n"
    guard let (executor, instance) = bench.plugin("probe", text) else { return }
    bench.run(executor, instance, [phase])
  }
}

/// Turns bytes into Lua text of calls.
private struct CallReader {
  private var bytes: ArraySlice<UInt8>
  private let functions: [String]

  init(_ bytes: UnsafeRawBufferPointer, functions: [String]) {
    self.bytes = ArraySlice(bytes)
    self.functions = functions
  }

  private mutating func byte() -> UInt8 { bytes.popFirst() ?? 0 }

  mutating func number(below bound: Int) -> Int { Int(byte()) % bound }

  mutating func calls() -> String {
    var text = ""
    var count = 0
    while !bytes.isEmpty, count < 32 {
      count += 1
      let index = (Int(byte()) << 8 | Int(byte())) % functions.count
      let arguments = (0..<number(below: 6)).map { _ in value(depth: 0) }
      text += "  call(" + (["\"\(functions[index])\""] + arguments).joined(separator: ", ") + ")\n"
    }
    return text
  }

  private mutating func value(depth: Int) -> String {
    switch byte() % 20 {
    case 0: return "nil"
    case 1: return "true"
    case 2: return "false"
    case 3: return "\(Int8(bitPattern: byte()))"
    case 4:
      var bits: UInt64 = 0
      for _ in 0..<8 { bits = bits << 8 | UInt64(byte()) }
      let number = Double(bitPattern: bits)
      if number.isNaN { return "(0/0)" }
      if number.isInfinite { return number < 0 ? "(-1/0)" : "(1/0)" }
      return "(\(number))"
    case 5, 6, 7, 8, 9, 10: return string()
    case 11, 12: return depth < 4 ? table(depth: depth) : "{}"
    case 13: return "ngx.null"
    case 14: return "last"
    case 15: return "function(...) return ... end"
    case 16: return "(\(string())):rep(\(Int(byte()) * 400))"
    case 17: return ["2^31", "2^53", "-2^63", "1e308", "2^32 - 1", "-0.0", "5e-324", "65536"][Int(byte() % 8)]
    case 18: return "coroutine.create(find)"
    default: return ["kong", "ngx", "kong.ctx.shared", "ngx.ctx", "string", "ngx.var", "kong.log"][Int(byte() % 7)]
    }
  }

  private mutating func string() -> String {
    let count = min(Int(byte()), bytes.count)
    var text = "\""
    for _ in 0..<count {
      let byte = byte()
      let isPlain = byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
      if isPlain {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte)
        text += "\\" + String(repeating: "0", count: 3 - digits.count) + digits
      }
    }
    return text + "\""
  }

  private mutating func table(depth: Int) -> String {
    let items = (0..<number(below: 5)).map { _ -> String in
      byte() % 2 == 0 ? value(depth: depth + 1) : "[tostring(\(value(depth: depth + 1)))] = \(value(depth: depth + 1))"
    }
    return "{" + items.joined(separator: ", ") + "}"
  }
}
