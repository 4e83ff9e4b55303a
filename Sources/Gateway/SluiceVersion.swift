/// Versions that the program reports.
public enum SluiceVersion {
  /// Sluice's own version.
  public static let current = "0.1.0"
  /// The Kong Gateway release whose interfaces are spoken; clients decide by it what to try.
  public static let kong = "3.15.0.0"
  /// The same as Kong numbers it for plugins: major, minor and patch in two digits each.
  public static let kongNumber = 31500
  /// Name and version in `Via` and `Server`. Source: Kong fact, proxy-behaviour §6.
  public static let serverToken = "kong/3.15.0.0-enterprise-edition"
}
