/// Every namespace of the plugin API. A new one is a file beside this and a line here.
enum PDKNamespaces {
  static let all: [PDKFunction] =
    RequestNamespace.functions + ResponseNamespace.functions + ServiceNamespace.functions
    + ServiceRequestNamespace.functions + ServiceResponseNamespace.functions + ClientNamespace.functions
    + LogNamespace.functions + NodeNamespace.functions + NginxRequestNamespace.functions
    + NginxResponseNamespace.functions + NginxVariableNamespace.functions + NginxTextNamespace.functions
    + NginxTimeNamespace.functions + NginxTimerNamespace.functions + SocketNamespace.functions
    + SharedDictionaryNamespace.functions + ServiceTLSNamespace.functions + ClientTLSNamespace.functions
    + TracingNamespace.functions + ThreadNamespace.functions + ScriptNamespace.functions + CryptoNamespace.functions
    + NameNamespace.functions + VaultNamespace.functions + CacheNamespace.functions + LuaModules.functions
    + ClientIdentityNamespace.functions + DatabaseNamespace.functions + NginxAbsentNamespace.functions + preludeChecks

  /// Functions that the runtime's own Lua code makes.
  static let prelude: [PreludeFunction] =
    ServiceTLSNamespace.declarations + ClientTLSNamespace.declarations + TracingNamespace.declarations
    + AbsentNamespace.declarations + ThreadNamespace.declarations + SocketNamespace.declarations
    + VaultNamespace.declarations
    + CacheNamespace.declarations + DatabaseNamespace.declarations + PreludeFunction.general

  /// What the prelude needs to know of its own functions: each name with its level, and the check of its phases.
  private static let preludeChecks: [PDKFunction] = prelude.map { function in
    PDKFunction("check:\(function.level.rawValue):\(function.name)", function.phases, level: .internal, "") {
      (call) throws(LuaFault) in
    }
  }

  /// The reference page: each function with its phases and the sandbox mode from which on it may be called, then what
  /// `require` gives and what it refuses.
  static func referenceMarkdown() -> String {
    var lines = [
      "# Lua plugin API", "",
      "Generated from the declarations in `Sources/LuaRuntime/PDK`. The modes are those of `untrusted_lua`: what is there "
        + "from `strict` on is there in `lax` too, and all of it with `on` and `sandbox`.", "",
      "## Functions", "", "| function | phases | from mode | what it does |", "|---|---|---|---|",
    ]
    let rows =
      all.filter { $0.level != .internal }.map { ($0.name, $0.arguments, $0.phases, $0.level, $0.summary) }
      + prelude.map { ($0.name, $0.arguments, $0.phases, $0.level, $0.summary) }
    for (name, arguments, phases, level, summary) in rows.sorted(by: { $0.0 < $1.0 }) {
      lines.append(
        "| `\(name)(\(arguments))` | \(phases.names.isEmpty ? "any" : phases.names) | \(level.rawValue) | \(summary) |")
    }
    lines += [
      "",
      "Beside them: `kong.ctx.shared`, `kong.ctx.plugin`, `kong.configuration` (redacted, read-only), `kong.version`, "
        + "`kong.version_num`, `kong.default_workspace`; `ngx.var`, `ngx.ctx`, `ngx.header`, `ngx.arg`, `ngx.status`, "
        + "`ngx.headers_sent`, `ngx.null`, `ngx.config` and the constants of nginx's Lua module; with `on` and `sandbox` "
        + "`ngx.shared`.",
      "", "## Modules", "", "| `require` | from mode |", "|---|---|",
    ]
    let modules = LuaModules.strict.map { ($0, "strict") } + LuaModules.lax.map { ($0, "lax") }
    for (name, level) in modules.sorted(by: { $0.0 < $1.0 }) { lines.append("| `\(name)` | \(level) |") }
    lines += [
      "", "With `sandbox` exactly the modules of `untrusted_lua_sandbox_requires` can be required.", "",
      "## Refused modules", "", "Modules of Kong's lists that this gateway does not have; the refusal says the same.",
      "",
      "| `require` | instead |", "|---|---|",
    ]
    for (name, reason) in LuaModules.refused.sorted(by: { $0.key < $1.key }) {
      lines.append("| `\(name)` | \(reason) |")
    }
    for (prefix, reason) in LuaModules.refusedFamilies { lines.append("| `\(prefix)`… | \(reason) |") }
    return lines.joined(separator: "\n") + "\n"
  }
}

/// The reference page of the plugin API, generated from its declarations.
public func referenceMarkdown() -> String { PDKNamespaces.referenceMarkdown() }
