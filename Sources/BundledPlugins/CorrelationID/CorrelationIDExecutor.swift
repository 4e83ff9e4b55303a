import EntityModel
import Foundation
import PluginKit
import Synchronization

/// How identifiers are made.
enum CorrelationIDGenerator: String, Sendable {
  case uuid
  case uuidWithCounter = "uuid#counter"
  case tracker
}

/// Sets the identifier on the way to the upstream and, if wanted, on the way back.
final class CorrelationIDExecutor: PluginExecutor {
  let phases: PhaseSet
  private let headerName: String
  private let generator: CorrelationIDGenerator
  private let echoesDownstream: Bool
  private let prefix = UUID().uuidString.lowercased()
  private let counter = Atomic<UInt64>(0)

  init(headerName: String, generator: CorrelationIDGenerator, echoesDownstream: Bool) {
    self.headerName = headerName
    self.generator = generator
    self.echoesDownstream = echoesDownstream
    phases = echoesDownstream ? PhaseSet([.access, .headerFilter]) : PhaseSet(.access)
  }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    switch phase {
    case .access:
      var identifier = context.requestHeaders.first(headerName) ?? ""
      if identifier.isEmpty {
        identifier = makeIdentifier(context)
        context.requestHeaders.set(headerName, identifier)
      }
      if echoesDownstream { context.pluginStates[self, as: Identifier.self] = Identifier(identifier) }
    case .headerFilter where echoesDownstream:
      // Access may not have run (no route, an earlier exit): then the client still gets an identifier.
      let known = context.pluginStates[self, as: Identifier.self]?.text ?? context.requestHeaders.first(headerName)
      context.response.headers.set(headerName, known ?? makeIdentifier(context))
    default:
      break
    }
    return .finished
  }

  /// What access found or made: plugins after it may have changed the request's header.
  private final class Identifier {
    let text: String

    init(_ text: String) { self.text = text }
  }

  private func makeIdentifier(_ context: RequestContext) -> String {
    switch generator {
    case .uuid:
      return UUID().uuidString.lowercased()
    case .uuidWithCounter:
      return "\(prefix)#\(counter.wrappingAdd(1, ordering: .relaxed).newValue)"
    case .tracker:
      // Listening address and port, process, connection, request on the connection, time in seconds.
      let milliseconds = context.startedAtMilliseconds
      let fraction = String(milliseconds % 1000 + 1000).dropFirst()
      return "\(context.localIP)-\(context.localPort)-\(ProcessInfo.processInfo.processIdentifier)"
        + "-\(context.connectionNumber)-\(context.connectionRequests)-\(milliseconds / 1000).\(fraction)"
    }
  }
}
