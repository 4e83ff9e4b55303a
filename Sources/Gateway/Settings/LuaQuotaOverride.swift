import EntityModel

/// What `lua_quota_overrides` says of one plugin; what it does not say stays as it is for all plugins.
public struct LuaQuotaOverride: Sendable, Hashable {
  public var plugin: String
  public var cpuTime: Duration?
  public var loadTime: Duration?
  public var pluginMemory: Int?
  public var requestMemory: Int?
  public var coroutines: Int?
  public var stringSize: Int?
  public var patternSteps: Int?
  public var isTrusted = false
  /// As it was written.
  let text: String

  /// - Parameter text: `name key=value ... trusted`.
  init(parsing text: String) throws(SettingValueError) {
    let words = text.split(separator: " ").map(String.init)
    guard let name = words.first, !name.contains("=") else {
      throw SettingValueError("has the entry \"\(text)\", which does not begin with the name of a plugin")
    }
    guard words.count > 1 else {
      throw SettingValueError("says nothing about the plugin \"\(name)\"; give a limit or `trusted`")
    }
    plugin = name
    self.text = text
    for word in words.dropFirst() {
      if word == "trusted" {
        isTrusted = true
        continue
      }
      let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw SettingValueError("has the word \"\(word)\" for \"\(name)\", which is neither key=value nor `trusted`")
      }
      do {
        try set(parts[0], parts[1])
      } catch {
        throw SettingValueError("has \"\(word)\" for \"\(name)\", which \(error.reason)")
      }
    }
  }

  private mutating func set(_ key: String, _ value: String) throws(SettingValueError) {
    switch key {
    case "cpu_time": cpuTime = try SettingKind.nginxTime.parse(value)
    case "load_time": loadTime = try SettingKind.nginxTime.parse(value)
    case "plugin_memory": pluginMemory = try SettingKind.size.parse(value)
    case "request_memory": requestMemory = try SettingKind.size.parse(value)
    case "coroutines": coroutines = try SettingKind.integer(0...1_000_000).parse(value)
    case "string_size": stringSize = try SettingKind.size.parse(value)
    case "pattern_steps": patternSteps = try SettingKind.integer(0...Int.max).parse(value)
    default: throw SettingValueError("is no limit of Lua plugins")
    }
  }
}

extension SettingKind<[LuaQuotaOverride]> {
  static let luaQuotaOverrides = SettingKind(
    "a comma-separated list of `name` with any of `cpu_time=`, `load_time=`, `plugin_memory=`, `request_memory=`, "
      + "`coroutines=`, `string_size=`, `pattern_steps=`, `trusted`, separated by blanks",
    json: { $0.isEmpty ? nil : .array($0.map { .string($0.text) }) }
  ) { text throws(SettingValueError) -> [LuaQuotaOverride] in
    var overrides: [LuaQuotaOverride] = []
    for item in SettingText.items(text) {
      let override = try LuaQuotaOverride(parsing: item)
      guard !overrides.contains(where: { $0.plugin == override.plugin }) else {
        throw SettingValueError("names the plugin \"\(override.plugin)\" twice")
      }
      overrides.append(override)
    }
    return overrides
  }
}
