/// How entities with a `ttl` end by themselves.
///
/// Clients give and see `ttl` as the seconds that remain. It is kept, and travels in files and to data planes, as the
/// second since the epoch at which the entity expires, so that no copy starts the clock again. Source: Kong fact,
/// bundled-16 §2 and declarative §5.
public enum Lifetime {
  /// The longest lifetime in seconds; a larger number is a time of expiry.
  public static let longest: Int64 = 100_000_000

  /// Seconds since the epoch at which an entity expires; nil if it does not.
  ///
  /// A lifetime that was kept as such counts from the entity's creation.
  public static func expiry(of entity: EntityFields) -> Int64? {
    guard let value = entity["ttl"]?.integer, value > 0 else { return nil }
    if value > longest { return value }
    guard let created = entity["created_at"]?.integer else { return nil }
    let (sum, overflows) = created.addingReportingOverflow(value)
    return overflows ? nil : sum
  }

  /// - Parameter seconds: since the epoch.
  public static func isOver(_ entity: EntityFields, at seconds: Double) -> Bool {
    expiry(of: entity).map { Double($0) <= seconds } ?? false
  }
}

extension EntityDefinition {
  /// Whether entities of the kind may end by themselves.
  public var expires: Bool { schema["ttl"] != nil }
}

extension EntityValidator {
  /// Whether an entity has outlived its `ttl`.
  public func isOver(_ entity: EntityFields, of definition: EntityDefinition) -> Bool {
    definition.expires && Lifetime.isOver(entity, at: now())
  }

  /// Takes a time of expiry out of an input that may have one, so that the rest is validated as a client's would be.
  func takeExpiry(from input: inout EntityFields, _ definition: EntityDefinition) -> JSONValue? {
    guard acceptsExpiryTimes, definition.expires, let value = input["ttl"]?.integer, value > Lifetime.longest
    else { return nil }
    input["ttl"] = .null
    return .integer(value)
  }

  /// Starts the clock of a lifetime: now, or at the creation that a file tells.
  func startLifetime(
    of entity: inout EntityFields, _ definition: EntityDefinition, expiry: JSONValue?, created: JSONValue? = nil
  ) {
    guard definition.expires else { return }
    if let expiry {
      entity["ttl"] = expiry
    } else if let seconds = entity["ttl"]?.integer {
      let start = acceptsExpiryTimes ? created?.double ?? now() : now()
      let end = (start + Double(seconds)).rounded(.up)
      entity["ttl"] = seconds > 0 ? Int64(exactly: end).map(JSONValue.integer) ?? .null : .null
    }
  }

  /// The seconds that remain of an entity; null if it does not expire.
  func remainingLifetime(of entity: EntityFields) -> JSONValue {
    guard let expiry = Lifetime.expiry(of: entity) else { return .null }
    return .integer(max(1, Int64(exactly: (Double(expiry) - now()).rounded(.down)) ?? 1))
  }
}
