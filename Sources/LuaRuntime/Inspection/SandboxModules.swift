/// The modules that the handler of a streamed plugin may require.
public enum SandboxModules {
  /// What the strict sandbox offers.
  public static let strict = [
    "bit", "cjson", "cjson.safe", "table.clear", "table.clone", "table.isarray", "table.isempty", "table.new",
    "table.nkeys",
  ]
}
