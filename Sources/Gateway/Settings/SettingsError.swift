/// One value that cannot be used.
public struct SettingProblem: Sendable, Hashable, CustomStringConvertible {
  /// Name of the setting, nil where a line of the file is no setting at all.
  public let setting: String?
  public let origin: SettingOrigin
  /// The value as given, hidden for secrets; nil where there is none to show.
  public let value: String?
  /// What is wrong and what is accepted.
  public let reason: String

  public var description: String {
    guard let setting else { return "\(origin): \(reason)" }
    let source = origin == .defaultValue ? "" : " (\(origin))"
    guard let value else { return "\(setting)\(source): \(reason)" }
    return "\(setting)\(source): \"\(value)\" \(reason)"
  }
}

/// Every reason why the settings cannot be used, found in one pass.
public struct SettingsError: Error, Sendable, CustomStringConvertible {
  public let problems: [SettingProblem]

  public var description: String { problems.map(\.description).joined(separator: "\n") }
}
