import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import PluginKit
import Synchronization

/// The outbound client of the process, over AsyncHTTPClient.
///
/// That client fixes TLS, keep-alive and proxy for all its requests, so there is one of them for each combination that
/// plugins are configured with. Connections live on event loops of their own; a request takes any that is idle, and its
/// response goes back to the event loop that asked.
/// `shutDown()` must be called once.
public final class SharedHTTPClient: OutboundHTTPClient {
  private struct Combination: Hashable {
    var tls: OutboundTLS
    var keepaliveMilliseconds: Int64
    var connectTimeoutMilliseconds: Int64
    var proxy: OutboundProxy?
  }

  private struct State {
    var clients: [Combination: HTTPClient] = [:]
    var isShutDown = false
  }

  private let group: any EventLoopGroup
  private let trustRoots: NIOSSLTrustRoots
  /// Taken once a request, off the path of requests without such plugins.
  private let state = Mutex(State())

  /// - Parameters:
  ///   - group: event loops that connections live on.
  ///   - trustRoots: what servers are verified with, where a request names nothing else.
  public init(group: any EventLoopGroup, trustRoots: NIOSSLTrustRoots = .default) {
    self.group = group
    self.trustRoots = trustRoots
  }

  public func send(_ request: OutboundRequest, on loop: any EventLoop) -> EventLoopFuture<OutboundResponse> {
    do {
      let client = try client(for: request)
      var headers = HTTPHeaders()
      for (name, value) in request.headers { headers.add(name: name, value: value) }
      let sent: HTTPClient.Request
      do {
        sent = try HTTPClient.Request(
          url: request.url, method: NIOHTTP1.HTTPMethod(rawValue: request.method), headers: headers,
          body: request.body.map { .byteBuffer($0) })
      } catch {
        throw OutboundHTTPError.invalidURL(request.url)
      }
      let collector = ResponseAccumulator(request: sent, maxBodySize: request.maximumResponseSize)
      let task = client.execute(
        request: sent, delegate: collector, eventLoop: .indifferent,
        deadline: .now() + .milliseconds(request.timeoutMilliseconds))
      return task.futureResult.hop(to: loop).map { response in
        OutboundResponse(
          status: Int(response.status.code), headers: response.headers.map { (name: $0.name, value: $0.value) },
          body: response.body ?? ByteBuffer())
      }.flatMapErrorThrowing { error in throw Self.reason(of: error, sent) }
    } catch {
      return loop.makeFailedFuture(error)
    }
  }

  /// Closes all connections. Requests under way fail.
  public func shutDown() async {
    let clients = state.withLock { state in
      state.isShutDown = true
      defer { state.clients = [:] }
      return Array(state.clients.values)
    }
    for client in clients { try? await client.shutdown() }
  }

  private func client(for request: OutboundRequest) throws -> HTTPClient {
    let combination = Combination(
      tls: request.tls, keepaliveMilliseconds: request.keepaliveMilliseconds,
      connectTimeoutMilliseconds: request.connectTimeoutMilliseconds, proxy: request.proxy)
    return try state.withLock { state in
      if let known = state.clients[combination] { return known }
      guard !state.isShutDown else { throw OutboundHTTPError.connectionFailed("the gateway is shutting down") }
      var configuration = HTTPClient.Configuration()
      configuration.redirectConfiguration = .disallow
      configuration.httpVersion = .http1Only
      do {
        configuration.tlsConfiguration = try request.tls.configuration(trustRoots: trustRoots)
      } catch {
        throw OutboundHTTPError.tlsFailed("\(error)")
      }
      configuration.timeout = .init(connect: .milliseconds(request.connectTimeoutMilliseconds))
      configuration.connectionPool.idleTimeout = .milliseconds(max(1, request.keepaliveMilliseconds))
      // Connections are used again only by requests that take any; nobody waits for one that is busy.
      configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 1024
      // A request that cannot connect fails, and its plugin decides what to do then.
      configuration.connectionPool.retryConnectionEstablishment = false
      configuration.proxy = request.proxy.map { proxy in
        .server(
          host: proxy.host, port: proxy.port,
          authorization: proxy.authorization.flatMap(Self.authorization))
      }
      let client = HTTPClient(eventLoopGroupProvider: .shared(group), configuration: configuration)
      state.clients[combination] = client
      return client
    }
  }

  private static func authorization(_ value: String) -> HTTPClient.Authorization? {
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2 else { return nil }
    switch parts[0].lowercased() {
    case "basic": return .basic(credentials: String(parts[1]))
    case "bearer": return .bearer(tokens: String(parts[1]))
    default: return nil
    }
  }

  private static func reason(of error: any Error, _ request: HTTPClient.Request) -> OutboundHTTPError {
    switch error {
    case let known as OutboundHTTPError: return known
    case let error as HTTPClientError:
      switch error {
      case .deadlineExceeded, .readTimeout, .writeTimeout, .connectTimeout, .getConnectionFromPoolTimeout,
        .tlsHandshakeTimeout:
        return .timeout
      case .remoteConnectionClosed: return .exchangeFailed("the connection was closed by the server")
      default: return .exchangeFailed(String(describing: error))
      }
    case is ResponseAccumulator.ResponseTooBigError: return .responseTooLarge
    case let error as NIOConnectionError:
      let system = error.connectionErrors.lazy.compactMap { $0.error as? IOError }.first
      return notConnected(to: request, system.map(text) ?? "the name has no address, or none answers")
    case let error as IOError where notConnected.contains(error.errnoCode):
      return notConnected(to: request, text(of: error))
    case let error as NIOSSLError: return .tlsFailed(String(describing: error))
    case let error as NIOSSLExtraError: return .tlsFailed(error.description)
    default: return .exchangeFailed(String(describing: error))
    }
  }

  /// Errors of the system that tell of a connection that was never made.
  private static let notConnected: Set<CInt> = [ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, EADDRNOTAVAIL]

  private static func notConnected(to request: HTTPClient.Request, _ reason: String) -> OutboundHTTPError {
    .connectionFailed("cannot connect to \(request.host):\(request.port): \(reason)")
  }

  private static func text(of error: IOError) -> String { String(cString: strerror(error.errnoCode)) }
}
