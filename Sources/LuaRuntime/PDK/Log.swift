import PluginKit

/// `kong.log`. Source: Kong fact, pdk §5.
enum LogNamespace {
  static let functions: [PDKFunction] =
    LuaLogLevel.allCases.map { level in
      PDKFunction("kong.log.\(level.name)", .any, arguments: "...", wants: [.text, .position], "Logs at this level.") {
        (call) throws(LuaFault) in
        if call.host.settings.logSink.isEnabled(level) { write(call, level, text(call, from: 0)) }
      }
    } + [
      PDKFunction("log.inspect", .any, level: .internal, wants: .position, "Logs a drawn box.") {
        (call) throws(LuaFault) in
        guard call.host.settings.logSink.isEnabled(.notice) else { return }
        write(call, .notice, "\n" + box(call.string(0) ?? ""))
      },
      PDKFunction("log.deprecation", .any, level: .internal, wants: .position, "Logs a deprecation.") {
        (call) throws(LuaFault) in write(call, .warn, call.string(0) ?? "")
      },
      PDKFunction("log.print", .any, level: .internal, wants: [.text, .position], "Logs what print is given.") {
        (call) throws(LuaFault) in write(call, .notice, text(call, from: 0))
      },
      PDKFunction("ngx.log", .any, arguments: "level, ...", wants: [.text, .position], "Logs at a level.") {
        (call) throws(LuaFault) in
        guard let number = call.string(0).flatMap({ Int($0) }) else {
          throw LuaFault("bad argument #1 to 'log' (number expected, got \(call.typeName(0)))")
        }
        guard (0...8).contains(number) else { throw LuaFault("bad log level") }
        let level = LuaLogLevel(rawValue: number) ?? .emerg
        guard call.host.settings.logSink.isEnabled(level) else { return }
        let position = "\(fileName(call)):\(call.raw.pointee.line)"
        call.host.settings.logSink.write(
          level, line: "[lua] \(position): \(text(call, from: 1))", requestID: call.host.loggedRequestID)
      },
      PDKFunction(
        "kong.log.set_serialize_value", .logValues, arguments: "key, value, options", wants: .tables,
        "Changes what serialize gives."
      ) { (call) throws(LuaFault) in
        let key = try call.requireString(0, "key must be a string")
        var mode = SerializeValue.Mode.set
        if call.isTable(2) {
          switch call.value(2)["mode"] {
          case .nil: break
          case let given:
            guard let known = given.text.flatMap(SerializeValue.Mode.init) else {
              throw LuaFault("mode must be 'set', 'add' or 'replace'")
            }
            mode = known
          }
        }
        let value = call.value(1)
        if case .nil = value {
          try call.context.serializeValues.append(SerializeValue(key: key, value: nil, mode: mode))
        } else {
          // A value that is no plain data is refused by serialize, not here.
          guard let json = value.json else {
            throw LuaFault(
              "value must be nil, a number, string, boolean or a non-self-referencial table containing numbers, "
                + "string and booleans")
          }
          try call.context.serializeValues.append(SerializeValue(key: key, value: json, mode: mode))
        }
      },
      PDKFunction("kong.log.serialize", .log, arguments: "options", "The request as a table, for log plugins.") {
        (call) throws(LuaFault) in call.returns(try call.context.serialized())
      },
    ]

  private static func text(_ call: LuaCall, from start: Int) -> String {
    var text = ""
    for index in start..<max(start, call.argumentCount) { text += call.string(index) ?? "" }
    return text
  }

  /// Last part of the name of the calling chunk.
  private static func fileName(_ call: LuaCall) -> String {
    let source = withUnsafeBytes(of: call.raw.pointee.source) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    if source.hasPrefix("[string") { return source }
    return source.split(separator: "/").last.map(String.init) ?? "?"
  }

  private static func write(_ call: LuaCall, _ level: LuaLogLevel, _ message: String) {
    var line = "[kong] \(fileName(call)):\(call.raw.pointee.line) "
    if let plugin = call.host.pluginName { line += "[\(plugin)] " }
    call.host.settings.logSink.write(level, line: line + message, requestID: call.host.loggedRequestID)
  }

  /// Text in a box of 120 columns.
  private static func box(_ text: String) -> String {
    let width = 118
    var lines = ["+" + String(repeating: "-", count: width) + "+"]
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      var rest = line
      repeat {
        let part = rest.prefix(width - 2)
        rest = rest.dropFirst(part.count)
        lines.append("| " + part + String(repeating: " ", count: width - 2 - part.count) + " |")
      } while !rest.isEmpty
    }
    lines.append("+" + String(repeating: "-", count: width) + "+")
    return lines.joined(separator: "\n")
  }
}
