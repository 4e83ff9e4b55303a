import EntityModel

/// What the reference page and the error texts know of a setting.
public struct SettingDeclaration: Sendable, Hashable {
  /// Kong's name, for example `proxy_listen`; `KONG_PROXY_LISTEN` and `SLUICE_PROXY_LISTEN` in the environment.
  public let name: String
  /// What is accepted, as a phrase that completes "accepted: …".
  public let accepted: String
  /// The default as it would be written in a file; empty when the setting is unset by default.
  public let defaultText: String
  public let unit: String?
  public let documentation: String
  /// The value must not be shown, logged or given to plugins.
  public let isSecret: Bool
  /// Sluice has this setting, Kong does not.
  public let isOwn: Bool
  /// Title of the section of the reference page.
  public internal(set) var section: String = ""
}

/// Why a text is not a value of a setting: what is wrong with it, as a clause without the setting's name.
struct SettingValueError: Error {
  let reason: String

  init(_ reason: String) { self.reason = reason }
}

/// One setting: declared once, as a stored property of a section. Name, default, documentation, parsing and the typed
/// accessor of ``GatewaySettings`` all come from that declaration.
public struct Setting<Value: Sendable>: Sendable {
  public let declaration: SettingDeclaration
  let kind: SettingKind<Value>

  init(
    _ name: String, _ kind: SettingKind<Value>, default defaultText: String = "", unit: String? = nil,
    secret: Bool = false, own: Bool = false, _ documentation: String
  ) {
    self.kind = kind
    declaration = SettingDeclaration(
      name: name, accepted: kind.accepted, defaultText: defaultText, unit: unit, documentation: documentation,
      isSecret: secret, isOwn: own)
  }
}

/// A setting whose type of value is not known to the reader.
protocol AnySetting: Sendable {
  var declaration: SettingDeclaration { get }
  func stored(_ text: String, from origin: SettingOrigin) throws(SettingValueError) -> any StoredSetting
}

extension Setting: AnySetting {
  func stored(_ text: String, from origin: SettingOrigin) throws(SettingValueError) -> any StoredSetting {
    let value = try kind.parse(text)
    return StoredValue(value: value, origin: origin, json: kind.json(value))
  }
}

/// A read value, with what `kong.configuration` shows of it.
protocol StoredSetting: Sendable {
  var origin: SettingOrigin { get }
  var json: JSONValue? { get }
}

struct StoredValue<Value: Sendable>: StoredSetting {
  let value: Value
  let origin: SettingOrigin
  let json: JSONValue?
}

/// Where the value of a setting came from.
public enum SettingOrigin: Sendable, Hashable, CustomStringConvertible {
  case environment(variable: String)
  case file(path: String, line: Int)
  case defaultValue

  public var description: String {
    switch self {
    case .environment(let variable): "environment variable \(variable)"
    case .file(let path, let line): "\(path) line \(line)"
    case .defaultValue: "default"
    }
  }
}
