import CLuaBridge
import EntityModel

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// Evaluates one chunk in a fresh sandboxed state and turns its result, or its failure, into data and sentences.
struct ChunkInspection {
  /// Which of the two texts of a streamed plugin.
  enum Chunk: String {
    case schema, handler
  }

  /// Why a chunk is refused: one sentence for its author.
  struct Refusal: Error {
    var message: String
    /// False if the same text may pass at another time.
    var isLasting = true
  }

  var chunk: Chunk
  var environment: InspectionEnvironment
  /// The plugin's name, of which the chunk's argument is made: Kong requires these files as modules.
  var plugin: String
  var limits: LuaPluginInspector.Limits

  /// The value that the chunk returns; of a handler only the first level.
  func evaluate(_ source: String) throws(Refusal) -> SchemaTree {
    guard source.utf8.count <= limits.sourceBytes else {
      throw Refusal(message: "the text has \(source.utf8.count) bytes, but at most \(limits.sourceBytes) are accepted")
    }
    var result = run(source)
    defer { lua_inspect_free(&result) }
    guard result.status == LUA_INSPECT_OK else { throw refusal(for: result) }
    do throws(SchemaTreeCodec.Failure) {
      return try SchemaTreeCodec.decode(UnsafeRawBufferPointer(start: result.bytes, count: result.length))
    } catch {
      switch error {
      case .textIsNotUTF8: throw Refusal(message: "the returned table holds text that is not UTF-8")
      case .malformed: throw Refusal(message: "the returned value could not be read")
      }
    }
  }

  private func run(_ source: String) -> lua_inspect_result {
    var source = source
    var bootstrap = InspectionSandbox.bootstrap
    var name = "=\(chunk.rawValue)"
    guard let argument = strdup("kong.plugins.\(plugin).\(chunk.rawValue)") else {
      return lua_inspect_result()
    }
    defer { free(argument) }
    return source.withUTF8 { source in
      bootstrap.withUTF8 { bootstrap in
        name.withUTF8 { name in
          environment.data.withUnsafeBufferPointer { data in
            // Lua's name for the chunk is short; it is copied to end it with a zero byte.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: name.count + 1) { terminated in
              for (index, byte) in name.enumerated() { terminated[index] = CChar(bitPattern: byte) }
              terminated[name.count] = 0
              var request = lua_inspect_request()
              request.bootstrap = Self.characters(bootstrap)
              request.bootstrap_length = bootstrap.count
              request.data = data.baseAddress
              request.data_length = data.count
              request.chunk = Self.characters(source)
              request.chunk_length = source.count
              request.chunk_name = UnsafePointer(terminated.baseAddress)
              request.argument = UnsafePointer(argument)
              request.memory_limit = limits.memoryBytes
              request.time_limit_nanoseconds = Self.nanoseconds(limits.time)
              request.depth_limit = chunk == .schema ? 64 : 1
              request.value_limit = 100_000
              request.is_shallow = chunk == .handler
              request.coroutine_limit = UInt32(clamping: max(0, limits.quota.coroutines))
              request.string_limit = max(0, limits.quota.stringSize)
              request.pattern_limit = UInt64(max(0, limits.quota.patternSteps))
              return lua_inspect_run(&request)
            }
          }
        }
      }
    }
  }

  /// Whole nanoseconds, an hour at most.
  private static func nanoseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = min(max(duration, .zero), .seconds(3600)).components
    return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
  }

  private static func characters(_ bytes: UnsafeBufferPointer<UInt8>) -> UnsafePointer<CChar>? {
    bytes.baseAddress.map { UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self) }
  }

  private func refusal(for result: lua_inspect_result) -> Refusal {
    let text = result.message.map { String(cString: $0) }
    switch Int(result.status) {
    case LUA_INSPECT_BYTECODE:
      return Refusal(message: "the text is compiled bytecode; only Lua source is accepted")
    case LUA_INSPECT_SYNTAX:
      let (line, message) = place(of: text ?? "unknown")
      return Refusal(message: "syntax error\(line.map { " in line \($0)" } ?? ""): \(message)")
    case LUA_INSPECT_RUNTIME:
      let (line, message) = place(of: text ?? "an error was raised whose value is no text")
      let sentence = message + Self.hint(for: message)
      return Refusal(message: line.map { "error in line \($0): \(sentence)" } ?? "error: \(sentence)")
    case LUA_INSPECT_TIMEOUT:
      let line = result.line > 0 ? " (it was stopped in line \(result.line))" : ""
      let limit = Self.nanoseconds(limits.time) / 1_000_000
      return Refusal(
        message: "the chunk did not end within \(limit) ms\(line); code outside of functions runs when the plugin is "
          + "loaded and must come to an end",
        isLasting: false)
    case LUA_INSPECT_MEMORY:
      return Refusal(message: "the chunk needs more than \(limits.memoryBytes >> 20) MiB of memory while it is loaded")
    case LUA_INSPECT_TOO_DEEP:
      return Refusal(message: "the returned table is nested too deeply or contains itself")
    case LUA_INSPECT_TOO_LARGE:
      return Refusal(message: "the returned table has too many values")
    default:
      return Refusal(message: "the chunk could not be inspected: \(text ?? "unknown reason")", isLasting: false)
    }
  }

  /// Splits Lua's `name:line: message`.
  private func place(of text: String) -> (line: Int?, message: String) {
    let parts = text.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, let line = Int(parts[1]) else { return (nil, text) }
    let message = String(parts[2].drop { $0 == " " })
    return (parts[0] == chunk.rawValue ? line : nil, message)
  }

  /// What to do about a name that the sandbox leaves out.
  private static func hint(for message: String) -> String {
    guard message.hasSuffix("(a nil value)") else { return "" }
    if let start = message.firstRange(of: "field '")?.upperBound {
      let name = String(message[start...].prefix { $0 != "'" })
      return leftOutMembers[name].map { "; the sandbox does not offer \($0)" } ?? ""
    }
    guard let start = message.firstRange(of: "global '")?.upperBound else { return "" }
    let name = message[start...].prefix { $0 != "'" }
    return leftOut.contains(String(name)) ? "; the sandbox does not offer '\(name)'" : ""
  }

  private static let leftOutMembers = [
    "randomseed": "'math.randomseed': random numbers are seeded already", "dump": "'string.dump'",
    "getenv": "'os.getenv': use a field that is referenceable and '{vault://env/...}'", "execute": "'os.execute'",
    "exit": "'os.exit'", "remove": "'os.remove'", "rename": "'os.rename'", "tmpname": "'os.tmpname'",
    "setlocale": "'os.setlocale'", "open": "'io.open': there is no file system", "popen": "'io.popen'",
    "lines": "'io.lines': there is no file system",
  ]

  private static let leftOut: Set<String> = [
    "setmetatable", "getmetatable", "rawset", "rawget", "rawequal", "rawlen", "setfenv", "getfenv", "load",
    "loadstring", "dofile", "loadfile", "collectgarbage", "debug", "package", "newproxy", "module", "kong", "ngx",
  ]
}
