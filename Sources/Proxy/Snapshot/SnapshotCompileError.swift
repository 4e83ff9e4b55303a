/// Why a configuration cannot be run, entity by entity. The running one stays in place.
public struct SnapshotCompileError: Error, Sendable, CustomStringConvertible {
  public struct Problem: Sendable, Hashable {
    /// Collection and id (or name) of the entity.
    public let entity: String
    public let reason: String

    public init(entity: String, reason: String) {
      self.entity = entity
      self.reason = reason
    }
  }

  public let problems: [Problem]

  public init(problems: [Problem]) { self.problems = problems }

  public var description: String { problems.map { "\($0.entity): \($0.reason)" }.joined(separator: "; ") }
}
