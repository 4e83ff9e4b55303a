/// Why a name is nil that plugins of Kong know.
enum LuaAbsence {
  private static let reasons: [String: String] = [
    "timer": "plugins of the configuration have no timers (ngx.timer)",
    "shared": "ngx.shared exists with untrusted_lua = on only",
    "socket": "ngx.socket exists from untrusted_lua = lax on",
    "thread": "ngx.thread exists from untrusted_lua = lax on",
    "location": "there are no nginx locations (ngx.location)",
    "exec": "there are no nginx locations (ngx.exec)",
    "db": "kong.db exists from untrusted_lua = lax on",
    "setmetatable": "the sandbox does not offer setmetatable",
    "getmetatable": "the sandbox does not offer getmetatable",
  ]

  /// What to add to an error of Lua about a nil value; empty when nothing is known of it.
  static func hint(for message: String) -> String {
    guard message.contains("(a nil value)"), let start = message.firstRange(of: " '")?.upperBound else { return "" }
    return reasons[String(message[start...].prefix { $0 != "'" })].map { "; \($0)" } ?? ""
  }
}
