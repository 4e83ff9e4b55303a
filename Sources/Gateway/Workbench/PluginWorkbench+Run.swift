import EntityModel
import Foundation
import LuaRuntime
import NIOCore
import NIOPosix
import PluginKit
import Proxy
import Synchronization

/// The request that a plugin is run with, and what the upstream answers.
public struct WorkbenchExchange: Sendable {
  public var method = "GET"
  /// Path and query.
  public var target = "/"
  public var headers: [(name: String, value: String)] = []
  public var body: String?
  public var upstreamStatus = 200
  public var upstreamHeaders: [(name: String, value: String)] = []
  public var upstreamBody = "hello from the upstream\n"

  public init() {}
}

extension PluginWorkbench {
  /// Runs one request through a gateway in this process: the whole way from listener to upstream and back, with the
  /// plugin as its only one.
  ///
  /// - Parameter announce: gets the trace line by line as it comes about, from any thread.
  public func run(
    configuration: String?, _ exchange: WorkbenchExchange, announce: @escaping @Sendable (String) -> Void
  ) async throws {
    let upstream = try await RecordingUpstream.start(answering: exchange)
    let (inspection, _, snapshot) = try await store(configuration: configuration, upstream: upstream.port)
    announce("plugin \(name), version \(inspection.version), priority \(inspection.priority)")
    if inspection.phases.contains("certificate") {
      announce("  certificate runs in TLS handshakes; this run has none")
    }
    var parts = try await GatewayParts(settings: settings)
    let text = TraceText()
    parts.luaTrace = { event in
      for line in text.lines(of: event) { announce(line) }
    }
    do {
      let (proxy, port) = try await parts.startProxyAnywhere()
      try await parts.applier(proxy).apply(snapshot)
      announce("> \(exchange.method) \(exchange.target)")
      var request = OutboundRequest(
        method: exchange.method, url: "http://127.0.0.1:\(port)\(exchange.target)", headers: exchange.headers,
        body: exchange.body.map { ByteBuffer(string: $0) })
      request.timeoutMilliseconds = 30_000
      let response = try await parts.outbound.send(request, on: parts.group.next()).get()
      // The log phase runs when the response has been sent; a drained proxy has run it.
      await proxy.drain(timeout: .seconds(5))
      if let received = upstream.received {
        announce("upstream got")
        for line in received { announce("  \(line)") }
      } else {
        announce("upstream got nothing")
      }
      announce("client got")
      announce("  \(response.status)")
      for (name, value) in response.headers { announce("  \(name): \(value)") }
      if response.body.readableBytes > 0 {
        announce("")
        announce("  " + String(buffer: response.body).replacing("\n", with: "\n  "))
      }
    } catch {
      await parts.shutDown()
      await upstream.stop()
      throw error
    }
    await parts.shutDown()
    await upstream.stop()
  }
}

/// Turns the events of a trace into lines.
private final class TraceText: Sendable {
  private let lastPhase = Mutex("")

  func lines(of event: LuaTraceEvent) -> [String] {
    switch event {
    case .call(let phase, let function, let arguments, let results, let failure):
      let call = "    \(function)(\(arguments.joined(separator: ", ")))"
      let outcome = failure.map { " raised \($0)" } ?? (results.isEmpty ? "" : " → \(results.joined(separator: ", "))")
      return heading(phase) + [call + outcome]
    case .ended(_, let phase, let outcome, let cpu, let growth):
      let time = String(format: "%.1f", Double(cpu) / 1000)
      return heading(phase) + ["    \(outcome.rawValue) after \(time) µs of CPU time, \(growth) bytes of memory"]
    }
  }

  private func heading(_ phase: String) -> [String] {
    lastPhase.withLock { last in
      if last == phase { return [] }
      last = phase
      return ["  \(phase)"]
    }
  }
}

extension GatewayParts {
  /// Starts the proxy and tells the port that it was given.
  fileprivate func startProxyAnywhere() async throws -> (ProxyServer, Int) {
    let proxy = try await ProxyServer(
      configuration: try ProxySettingsReader(settings: settings).configuration(), node: node, group: group,
      logger: logger)
    guard let bound = try await proxy.start().first else { throw GatewayError("the proxy listens nowhere") }
    return (proxy, bound.port)
  }
}
