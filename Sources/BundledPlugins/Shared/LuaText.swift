import CLuaBridge

/// Lua texts in configurations, before anything runs them.
enum LuaText {
  /// Lua's sentence about the first thing that does not compile; nil if everything does. Safe on any thread.
  static func problem(of text: String) -> String? {
    var text = text
    return text.withUTF8 { bytes in
      withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { message in
        bytes.withMemoryRebound(to: CChar.self) { characters in
          lua_syntax_check(characters.baseAddress, characters.count, memoryLimit, message.baseAddress, message.count)
        } ? nil : message.baseAddress.map { String(cString: $0) }
      }
    }
  }

  /// Of the state that compiles, in bytes.
  private static let memoryLimit = 64 << 20
}
