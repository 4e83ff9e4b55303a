import EntityModel

/// What plugins may ask about the configuration that a request runs in.
public protocol RequestDirectory: AnyObject {
  /// By id, or by username.
  func consumer(_ key: String, byUsername: Bool) -> ConsumerInfo?

  /// As entities.
  func consumerGroups(ofConsumer id: String) -> [JSONValue]

  /// Whether there is an Upstream of that name.
  func hasUpstream(_ name: String) -> Bool
}
