import CLuaBridge
import Foundation

extension LuaHost {
  /// Tells the trace of a call that has returned or raised.
  func traceCall(_ function: PDKFunction, _ raw: UnsafeMutablePointer<slu_call>, failure: String?, _ trace: LuaTrace) {
    var name = function.name
    if function.level == .internal {
      // Of the runtime's own calls only those count that check the phase of a function made in Lua.
      guard name.hasPrefix("check:") else { return }
      name = String(name.split(separator: ":", maxSplits: 2).last ?? "")
    }
    let call = LuaCall(raw: raw, host: self)
    var results: [String] = []
    if failure == nil, let first = raw.pointee.results {
      var index = 0
      while index < Int(raw.pointee.result_count) { results.append(Self.describe(first, &index, raw.pointee.bytes)) }
    }
    trace(
      .call(
        phase: nameOfRun, function: name,
        arguments: (0..<call.argumentCount).map { Self.describe(call.value($0)) }, results: results, failure: failure))
  }

  /// Tells the trace of the end of a run.
  func traceEnd(_ status: Int32, plugin: String, since start: UInt64, _ trace: LuaTrace) {
    let outcome: LuaTraceEvent.Outcome =
      switch Int(status) {
      case SLU_RUN_FINISHED: .finished
      case SLU_RUN_EXITED: .exited
      case SLU_RUN_WAITING: .waiting
      default: .failed
      }
    trace(
      .ended(
        plugin: plugin, phase: nameOfRun, outcome: outcome,
        cpuNanoseconds: Self.processorTime() &- start,
        memoryGrowth: Int(raw.pointee.run_memory - raw.pointee.request_memory)))
  }

  private var nameOfRun: String {
    if isTimer { return "timer" }
    return raw.pointee.is_loading ? "load" : phase.name
  }

  static func processorTime() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  // MARK: Values as text

  private static let textLimit = 120

  private static func quoted(_ bytes: some Collection<UInt8>) -> String {
    let text = String(decoding: bytes.prefix(textLimit), as: UTF8.self)
    return "\"" + text.replacing("\n", with: "\\n") + (bytes.count > textLimit ? "…\" (\(bytes.count) bytes)" : "\"")
  }

  private static func describe(_ value: LuaValue) -> String {
    switch value {
    case .nil: "nil"
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .number(let number): luaText(of: number)
    case .string(let bytes): quoted(bytes)
    case .table(let items, _):
      "{"
        + items.prefix(10).map { "\($0.key.text ?? describe($0.key)) = \(describe($0.value))" }.joined(separator: ", ")
        + (items.count > 10 ? ", …}" : "}")
    case .other(let type): type
    }
  }

  private static func describe(
    _ nodes: UnsafeMutablePointer<slu_value>, _ index: inout Int, _ bytes: UnsafeMutablePointer<CChar>?
  ) -> String {
    let node = nodes[index]
    index += 1
    switch Int(node.kind) {
    case SLU_FALSE: return "false"
    case SLU_TRUE: return "true"
    case SLU_NUMBER: return luaText(of: node.number)
    case SLU_STRING:
      guard let bytes else { return "\"\"" }
      return quoted(UnsafeRawBufferPointer(start: bytes + node.offset, count: node.length))
    case SLU_NULL: return "null"
    case SLU_TABLE:
      var items: [String] = []
      let isList = Int(node.flags) & SLU_FLAG_LIST != 0
      for _ in 0..<node.count {
        let key = isList ? "" : describe(nodes, &index, bytes) + " = "
        items.append(key + describe(nodes, &index, bytes))
      }
      return "{" + items.prefix(10).joined(separator: ", ") + (items.count > 10 ? ", …}" : "}")
    default: return "nil"
    }
  }
}
