import EntityModel

/// What a plugin may know of the node it runs on. Immutable for the life of the process.
public struct NodeInfo: Sendable {
  /// UUID of the node.
  public var id: String
  public var hostname: String
  /// The Kong version spoken, for example `3.15.0.0`.
  public var version: String
  /// `3.15.0.0` as Kong numbers it: 31500.
  public var versionNumber: Int
  /// Text for `Via` and `Server`, for example `kong/3.15.0.0-enterprise-edition`.
  public var serverToken: String
  /// The settings, secrets redacted, by name.
  public var configuration: [String: JSONValue]
  /// Peers whose `X-Forwarded-*` headers are believed.
  public var trustedIPs: [CIDRBlock]
  public var clusterID: String?

  public init(
    id: String, hostname: String, version: String = "3.15.0.0", versionNumber: Int = 31500,
    serverToken: String = "kong/3.15.0.0-enterprise-edition", configuration: [String: JSONValue] = [:],
    trustedIPs: [CIDRBlock] = [], clusterID: String? = nil
  ) {
    self.id = id
    self.hostname = hostname
    self.version = version
    self.versionNumber = versionNumber
    self.serverToken = serverToken
    self.configuration = configuration
    self.trustedIPs = trustedIPs
    self.clusterID = clusterID
  }
}
