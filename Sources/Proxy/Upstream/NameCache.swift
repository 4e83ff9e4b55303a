import EntityModel
import NIOCore
import NIOPosix

/// The addresses of host names, as the system's resolver says, kept for a short time. Confined to its event loop.
///
/// Lookups block a thread of the shared pool, never the loop; requests for a name that is being looked up share the
/// lookup. Failures are remembered for a second.
final class NameCache {
  struct LookupError: Error {
    let host: String
  }

  private enum Entry {
    case pending([(Result<[String], LookupError>) -> Void])
    case known(Result<[String], LookupError>, until: NIODeadline)
  }

  private let eventLoop: any EventLoop
  private let lifetime: TimeAmount
  private var entries: [String: Entry] = [:]

  init(eventLoop: any EventLoop, lifetime: TimeAmount) {
    self.eventLoop = eventLoop
    self.lifetime = lifetime
  }

  /// How long the addresses of a name that was resolved may be used.
  func expiry(of host: String) -> NIODeadline {
    if case .known(_, let until) = entries[host] { return until }
    // Only address literals and `localhost` are resolved without an entry.
    return .distantFuture
  }

  /// Calls `completion` on the event loop with address literals, at once if they are known.
  func resolve(_ host: String, _ completion: @escaping (Result<[String], LookupError>) -> Void) {
    if host == "localhost" { return completion(.success(["127.0.0.1"])) }
    if host.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (0x30...0x39).contains($0) })
      || host.utf8.contains(UInt8(ascii: ":"))
    {
      if let address = IPAddress(host) { return completion(.success([address.description])) }
    }
    switch entries[host] {
    case .known(let result, let until) where until > .now(): completion(result)
    case .pending(let waiting):
      entries[host] = .pending(waiting + [completion])
    default:
      entries[host] = .pending([completion])
      NIOThreadPool.singleton.runIfActive(eventLoop: eventLoop) { try Self.lookUp(host) }
        .assumeIsolated()
        .whenComplete { result in
          self.finish(host, result.mapError { _ in LookupError(host: host) })
        }
    }
  }

  private func finish(_ host: String, _ result: Result<[String], LookupError>) {
    guard case .pending(let waiting) = entries[host] else { return }
    let isSuccess = if case .success = result { true } else { false }
    if entries.count > 4096 {
      entries = entries.filter { if case .pending = $0.value { true } else { false } }
    }
    entries[host] = .known(result, until: .now() + (isSuccess ? lifetime : .seconds(1)))
    for completion in waiting { completion(result) }
  }

  /// Blocks.
  private static func lookUp(_ host: String) throws -> [String] {
    let address = try SocketAddress.makeAddressResolvingHost(host, port: 0)
    guard let text = address.ipAddress else { throw LookupError(host: host) }
    return [text]
  }
}
