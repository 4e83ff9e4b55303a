/// Every namespace of the plugin API. A new one is a file beside this and a line here.
enum PDKNamespaces {
  static let all: [PDKFunction] =
    RequestNamespace.functions + ResponseNamespace.functions + ServiceNamespace.functions
    + ServiceRequestNamespace.functions + ServiceResponseNamespace.functions + ClientNamespace.functions
    + LogNamespace.functions + NodeNamespace.functions + NginxRequestNamespace.functions
    + NginxResponseNamespace.functions + NginxVariableNamespace.functions + NginxTextNamespace.functions
    + NginxTimeNamespace.functions + NginxTimerNamespace.functions + SocketNamespace.functions
    + SharedDictionaryNamespace.functions + ScriptNamespace.functions

  /// The reference page: each function with its phases and the sandbox mode from which on it may be called.
  static func referenceMarkdown() -> String {
    var lines = [
      "# Lua plugin API", "",
      "Generated from the declarations in `Sources/LuaRuntime/PDK`.", "",
      "| function | phases | from mode | what it does |", "|---|---|---|---|",
    ]
    for function in all.sorted(by: { $0.name < $1.name }) where function.level != .internal {
      let phases = function.phases.names.isEmpty ? "any" : function.phases.names
      lines.append(
        "| `\(function.name)(\(function.arguments))` | \(phases) | \(function.level.rawValue) | \(function.summary) |")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// The reference page of the plugin API, generated from its declarations.
public func referenceMarkdown() -> String { PDKNamespaces.referenceMarkdown() }
