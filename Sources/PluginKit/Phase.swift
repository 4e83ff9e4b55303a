/// A point in the life of a request at which plugins run.
///
/// Source: Kong fact, plugin-entity §4.
public enum Phase: UInt8, Sendable, CaseIterable {
  case initWorker, certificate, rewrite, access, balancer, response, headerFilter, bodyFilter, log

  /// Kong's name, as handlers and messages spell it.
  public var name: String {
    switch self {
    case .initWorker: "init_worker"
    case .certificate: "certificate"
    case .rewrite: "rewrite"
    case .access: "access"
    case .balancer: "balancer"
    case .response: "response"
    case .headerFilter: "header_filter"
    case .bodyFilter: "body_filter"
    case .log: "log"
    }
  }

  public init?(name: String) {
    guard let phase = Phase.allCases.first(where: { $0.name == name }) else { return nil }
    self = phase
  }
}

/// A set of phases.
public struct PhaseSet: OptionSet, Sendable, Hashable {
  public let rawValue: UInt16

  public init(rawValue: UInt16) { self.rawValue = rawValue }

  public init(_ phase: Phase) { rawValue = 1 << UInt16(phase.rawValue) }

  public init(_ phases: some Sequence<Phase>) { self = phases.reduce(into: []) { $0.insert(PhaseSet($1)) } }

  @inlinable
  public func contains(_ phase: Phase) -> Bool { rawValue & (1 << UInt16(phase.rawValue)) != 0 }
}
