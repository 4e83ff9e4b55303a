import CLuaBridge

/// Looks at Lua texts of a configuration before they are stored.
public enum LuaSyntax {
  /// Lua's sentence about the first thing that does not compile, nil if everything does. Nothing of the text runs.
  ///
  /// Safe to call from any thread. The sentence names the chunk by its text, as in `[string "return ("]:1: …`.
  public static func problem(of text: String) -> String? {
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
