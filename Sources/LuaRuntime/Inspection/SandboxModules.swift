/// The modules that the handler of a streamed plugin may require.
public enum SandboxModules {
  /// What the strict sandbox offers.
  ///
  /// Kong compatibility: Kong's list is longer; a module of it that the runtime does not provide is refused when the
  /// plugin is saved, not when it runs.
  public static var strict: [String] { LuaModules.strict }

  /// What `require` gives in a mode.
  /// - Parameter listed: the modules that the operator lists for the mode `sandbox`.
  public static func all(in mode: SandboxMode, listed: [String] = []) -> [String] {
    switch mode {
    case .off, .strict: LuaModules.strict
    case .lax, .on: LuaModules.strict + LuaModules.lax
    case .sandbox: listed
    }
  }
}
