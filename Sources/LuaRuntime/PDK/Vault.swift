import CLuaBridge
import EntityModel
import PluginKit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// `kong.vault` with the vault of environment variables. Source: Kong fact, pdk §6.
enum VaultNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("vault.variable", .any, level: .internal, "An environment variable, nil if there is none.") {
      (call) throws(LuaFault) in call.returns(EnvironmentVault.value(of: call.string(0) ?? ""))
    }
  ]

  static let declarations: [PreludeFunction] = [
    PreludeFunction("kong.vault.is_reference", level: .lax, arguments: "text", "Whether a text refers to a secret."),
    PreludeFunction("kong.vault.parse_reference", level: .lax, arguments: "reference", "The parts of a reference."),
    PreludeFunction("kong.vault.get", level: .lax, arguments: "reference", "The secret of a reference."),
    PreludeFunction("kong.vault.update", level: .lax, arguments: "options", "Reads the references of a table anew."),
    PreludeFunction(
      "kong.vault.try", level: .lax, arguments: "callback, options",
      "Calls a function, and again with references read anew if it fails."),
  ]
}

/// The vault `env`: secrets in environment variables.
enum EnvironmentVault {
  /// Kong compatibility: variables that are settings of the gateway are not given to plugins.
  private static let settingPrefixes = ["KONG_", "SLUICE_"]

  static func value(of name: String) -> String? {
    guard !name.isEmpty, !name.utf8.contains(0), !settingPrefixes.contains(where: { name.hasPrefix($0) }),
      let text = getenv(name)
    else { return nil }
    return String(cString: text)
  }

  /// The secret that a reference such as `{vault://env/my-secret/key?prefix=APP_}` names; nil if it names none.
  static func resolve(_ reference: String) -> String? {
    guard reference.hasPrefix("{vault://env/"), reference.hasSuffix("}") else { return nil }
    let path = reference.dropFirst(13).dropLast().prefix { $0 != "#" }
    let halves = path.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var parts = (halves.first ?? "").split(separator: "/").map(String.init)
    guard !parts.isEmpty else { return nil }
    let key = parts.count > 1 ? parts.removeLast() : nil
    var prefix = ""
    if halves.count == 2 {
      for pair in halves[1].split(separator: "&") where pair.hasPrefix("prefix=") { prefix = String(pair.dropFirst(7)) }
    }
    let name = (prefix + parts.joined(separator: "/")).replacing("-", with: "_").uppercased()
    guard let value = value(of: name) else { return nil }
    guard let key else { return value }
    return (try? JSONValue(parsing: value))?[key]?.string
  }
}

extension LuaHost {
  /// A configuration whose references to secrets are replaced where its schema allows them; the references stay in
  /// `$refs`. One that cannot be resolved becomes an empty text, and the log says so.
  ///
  /// Source: Kong fact, schema-library §6.
  func resolved(_ config: JSONValue, by schema: PluginSchema?, of plugin: String) -> JSONValue {
    guard let field = schema?.fields.first(where: { $0.name == "config" })?.schema else { return config }
    return resolved(config, field, plugin)
  }

  private func resolved(_ value: JSONValue, _ field: FieldSchema, _ plugin: String) -> JSONValue {
    switch (field.kind, value) {
    case (.record(let record), .object(var members)):
      var references: [String: JSONValue] = [:]
      for field in record.fields {
        guard let member = members[field.name], !member.isNull else { continue }
        let made = resolved(member, field.schema, plugin)
        if made != member, isReference(member) || !isContainer(field.schema) { references[field.name] = member }
        members[field.name] = made
      }
      if !references.isEmpty { members["$refs"] = .object(references) }
      return .object(members)
    case (.array(let elements), .array(let values)), (.set(let elements), .array(let values)):
      return .array(values.map { resolved($0, elements, plugin) })
    case (.map(_, let values), .object(let members)): return .object(members.mapValues { resolved($0, values, plugin) })
    case (_, .string(let text)) where field.isReferenceable && isReference(value):
      if let secret = EnvironmentVault.resolve(text) { return .string(secret) }
      settings.logSink.write(
        .err, line: "[kong] [\(plugin)] no secret for the reference \(text); an empty text stands for it",
        requestID: nil)
      return .string("")
    default: return value
    }
  }

  private func isReference(_ value: JSONValue) -> Bool {
    value.string.map { $0.hasPrefix("{vault://") && $0.hasSuffix("}") } ?? false
  }

  private func isContainer(_ field: FieldSchema) -> Bool {
    switch field.kind {
    case .record, .array, .set, .map: true
    default: false
    }
  }
}
