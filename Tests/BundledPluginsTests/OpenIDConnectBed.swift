import EntityModel
import Foundation
import GatewayTesting
import NIOCore
import PluginKit
import Synchronization
import Testing

@testable import BundledPlugins

/// A provider in memory and the plugin before it: each request is answered at once, on one loop that keeps its caches.
final class OpenIDConnectBed {
  static let issuer = "https://op.example/realm"
  let provider = OpenIDProvider(issuer: OpenIDConnectBed.issuer)
  let client: MemoryClient
  let loop = LoopServices(index: 0, node: NodeInfo(id: "node", hostname: "host"))
  /// Seconds since the epoch, of the plugin and of the provider.
  private let clock = ClockBox(2_000_000_000)
  private let executor: any PluginExecutor

  init(_ config: [String: JSONValue] = [:], consumers: ConsumerDirectory = .empty) throws {
    client = MemoryClient(provider)
    let standard: [String: JSONValue] = [
      "issuer": .string(Self.issuer), "client_id": ["gateway"], "client_secret": ["gateway secret"],
      "session_secret": "a secret of the tests",
    ]
    executor = try PluginTestBed.executor(
      OpenIDConnect.definition, .object(standard.merging(config) { _, new in new }), consumers: consumers,
      services: PluginServices(outbound: client))
    let clock = clock
    provider.configure { $0.now = { clock.now } }
  }

  /// Lets seconds pass.
  func pass(_ seconds: Int64) { clock.advance(seconds) }
  var now: Int64 { clock.now }

  /// Runs one request through the plugin.
  @discardableResult
  func send(
    _ method: HTTPMethod = .get, _ target: String = "/", headers: [(String, String)] = [], body: String = ""
  ) -> PluginTestBed {
    let bed = PluginTestBed(
      method: method, target: target, headers: [("Host", "gateway.example:8443")] + headers
        + (body.isEmpty ? [] : [("Content-Length", String(body.utf8.count))]), body: body, loop: loop)
    bed.context.startedAtMilliseconds = now * 1000
    bed.context.isTLS = true
    bed.context.localPort = 8443
    let path = target.prefix { $0 != "?" }
    bed.context.normalizedPath = Array(path.utf8)
    _ = executor.run(.access, bed.context)
    return bed
  }

  @discardableResult
  func bearer(_ token: String, _ headers: [(String, String)] = []) -> PluginTestBed {
    send(headers: [("Authorization", "Bearer \(token)")] + headers)
  }
}

/// A clock that tests move.
final class ClockBox: Sendable {
  private let time: Mutex<Int64>
  init(_ time: Int64) { self.time = Mutex(time) }
  var now: Int64 { time.withLock { $0 } }
  func advance(_ seconds: Int64) { time.withLock { $0 += seconds } }
}

/// Requests that reach a provider without a network.
final class MemoryClient: OutboundHTTPClient {
  private let provider: OpenIDProvider
  /// While it is set every request fails.
  let isDown = Mutex(false)
  /// While it is set requests wait for `deliver`.
  let isSlow = Mutex(false)
  private let waiting = Mutex<[@Sendable () -> Void]>([])

  init(_ provider: OpenIDProvider) { self.provider = provider }

  func send(_ request: OutboundRequest, on loop: any EventLoop) -> EventLoopFuture<OutboundResponse> {
    guard !isDown.withLock({ $0 }) else {
      return loop.makeFailedFuture(OutboundHTTPError.connectionFailed("cannot connect to op.example:443"))
    }
    guard request.url.hasPrefix(OpenIDConnectBed.issuer) else {
      return loop.makeFailedFuture(OutboundHTTPError.connectionFailed("no such server: \(request.url)"))
    }
    let answer = provider.answer(
      OpenIDProvider.Request(
        method: request.method, target: String(request.url.dropFirst(OpenIDConnectBed.issuer.count)),
        headers: request.headers, body: request.body.map { String(buffer: $0) } ?? ""))
    guard answer.body.utf8.count <= request.maximumResponseSize else {
      return loop.makeFailedFuture(OutboundHTTPError.responseTooLarge)
    }
    let response = OutboundResponse(
      status: answer.status, headers: answer.headers, body: ByteBuffer(string: answer.body))
    guard isSlow.withLock({ $0 }) else { return loop.makeSucceededFuture(response) }
    let promise = loop.makePromise(of: OutboundResponse.self)
    waiting.withLock { $0.append { promise.succeed(response) } }
    return promise.futureResult
  }

  /// Delivers the answers that wait, and those to what is asked then.
  func deliver() {
    while true {
      let ready = waiting.withLock { waiting in
        defer { waiting = [] }
        return waiting
      }
      if ready.isEmpty { return }
      for answer in ready { answer() }
    }
  }
}

extension PluginTestBed {
  var status: Int? { context.earlyResponse?.status }

  func responseHeader(_ name: String) -> String? {
    context.earlyResponse?.headers.first { $0.name.lowercased() == name.lowercased() }?.value
      ?? context.response.headers.first(name)
  }

  /// Cookies that the answer sets; the empty text for those that it takes away.
  var setCookies: [String: String] {
    var cookies: [String: String] = [:]
    for line in context.response.headers.values(of: "set-cookie") {
      let pair = line.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      cookies[String(pair[0])] = String(pair[1])
    }
    return cookies
  }
}
