import EntityModel
import Logging
import NIOCore
import PluginKit
import Routing

extension RequestPipeline {
  // MARK: Rewrite

  /// Global instances only. Source: Kong fact, plugin-entity §4.
  func runRewrite(from index: Int, _ context: RequestContext) {
    let slots = snapshot.globalChain.slots
    cursor = index
    while cursor < slots.count {
      if let plugin = slots[cursor].resolve(context), plugin.phases.contains(.rewrite) {
        guard let outcome = run(plugin, .rewrite, context) else { return }
        if endsRewrite(outcome, context) { return }
      }
      cursor += 1
    }
    findRoute(context)
  }

  func rewriteReturned(_ outcome: PhaseOutcome, _ context: RequestContext) {
    if endsRewrite(outcome, context) { return }
    runRewrite(from: cursor + 1, context)
  }

  private func endsRewrite(_ outcome: PhaseOutcome, _ context: RequestContext) -> Bool {
    var response = context.earlyResponse
    if case .failed = outcome { response = ErrorResponder.response(status: 500, for: context) }
    if let status = overridingStatus { response = ErrorResponder.gatewayResponse(status: status, for: context) }
    guard let response else { return false }
    collectGlobals(context)
    answer(response, context)
    return true
  }

  // MARK: Routing

  func findRoute(_ context: RequestContext) {
    guard let route = snapshot.matchRoute(context) else {
      collectGlobals(context)
      return answer(
        ErrorResponder.response(status: 404, message: "no Route matched with those values", for: context), context)
    }
    self.route = route
    if route.requiresTLS, context.forwardedScheme != "https" {
      collectGlobals(context)
      return answer(demandTLS(route, context), context)
    }
    if route.isGRPC {
      collectGlobals(context)
      return answer(refuseGRPC(context), context)
    }
    if route.preserveHost { context.upstream.hostHeader = context.requestHeaders.first("host") }
    chain = route.chain
    stage = .access
    guard !chain.slots.isEmpty else { return accessEnded(context) }
    resetCollected()
    context.chain = self
    context.directory = snapshot
    runAccess(from: 0, context)
  }

  func normalizePath(_ context: RequestContext) throws(PathNormalizer.Failure) {
    var failure: PathNormalizer.Failure?
    context.withRawPath { path in
      do throws(PathNormalizer.Failure) {
        try PathNormalizer.normalize(path, into: &context.normalizedPath)
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
  }

  /// Source: Kong fact, proxy-behaviour §4.
  private func demandTLS(_ route: RouteRuntime, _ context: RequestContext) -> EarlyResponse {
    if route.httpsRedirectStatus == 426 {
      return ErrorResponder.response(
        status: 426, message: "Please use HTTPS protocol",
        headers: [("Connection", "Upgrade"), ("Upgrade", "TLS/1.2, HTTP/1.1")], for: context)
    }
    let target = context.requestHeaders.withArena(context.rawTargetRange) { String(decoding: $0, as: UTF8.self) }
    return EarlyResponse(
      status: route.httpsRedirectStatus, body: ByteBuffer(string: StatusLine.page(route.httpsRedirectStatus)),
      headers: [("Content-Type", "text/html"), ("Location", "https://\(context.forwardedHost)\(target)")],
      source: .error)
  }

  /// gRPC needs HTTP/2, which these listeners do not speak. Source: Kong fact, proxy-behaviour §4.
  private func refuseGRPC(_ context: RequestContext) -> EarlyResponse {
    if context.requestHeaders.first("content-type")?.hasPrefix("application/grpc") == true {
      return ErrorResponder.response(
        status: 426, message: "Please use HTTP2 protocol", headers: [("Connection", "Upgrade"), ("Upgrade", "HTTP/2")],
        for: context)
    }
    return ErrorResponder.response(status: 415, message: "Non-gRPC request matched gRPC route", for: context)
  }

  // MARK: Access

  /// Runs access of each plugin of the route in order. Once one has answered or failed the others are only collected,
  /// so that their filters and log still run. Source: Kong fact, plugin-entity §4.
  func runAccess(from index: Int, _ context: RequestContext) {
    cursor = index
    let chain = chain
    while cursor < chain.accessOrder.count {
      let place = chain.accessOrder[cursor]
      if let plugin = chain.slots[place].fixed ?? chain.slots[place].resolve(context), holds(plugin, context) {
        collect(plugin, at: place)
        if localResponse == nil, plugin.phases.contains(.access) {
          accessHasRun[place] = true
          guard let outcome = run(plugin, .access, context) else { return }
          note(outcome, context)
        }
      }
      cursor += 1
    }
    accessEnded(context)
  }

  func accessReturned(_ outcome: PhaseOutcome, _ context: RequestContext) {
    note(outcome, context)
    runAccess(from: cursor + 1, context)
  }

  private func note(_ outcome: PhaseOutcome, _ context: RequestContext) {
    if let status = overridingStatus {
      localResponse = ErrorResponder.gatewayResponse(status: status, for: context)
    } else if case .failed = outcome {
      localResponse = ErrorResponder.response(status: 500, for: context)
    } else if let response = context.earlyResponse {
      localResponse = response
    }
  }

  /// Whether the plugin's condition lets it run. An error in it is logged and ends the request with 500.
  private func holds(_ plugin: CompiledPlugin, _ context: RequestContext) -> Bool {
    guard let condition = plugin.condition else { return true }
    do {
      return try condition.evaluate(RequestConditionContext(context))
    } catch {
      let instance = plugin.instance
      loop.logger.error(
        "error evaluating plugin condition for plugin '\(instance.pluginName)' (ID: \(instance.id)): \(error)")
      if localResponse == nil { localResponse = ErrorResponder.response(status: 500, for: context) }
      return false
    }
  }

  private func accessEnded(_ context: RequestContext) {
    if !chain.slots.isEmpty {
      // Plugins may have taken time.
      loop.readClock()
      context.enter(.access, running: nil)
      if let localResponse { return answer(localResponse, context) }
    }
    if context.upstream.isEmpty {
      return answer(
        ErrorResponder.response(status: 503, message: "no Service found with those values", for: context), context)
    }
    if collectedPhases.contains(.response) { context.buffersResponse = true }
    startUpstream(context)
  }
}

extension RequestPipeline: PluginChainView {
  func status(ofPlugin name: String) -> PluginChainStatus? {
    for (place, slot) in chain.slots.enumerated() where PluginNames.areEqual(slot.name, underscored: name) {
      return PluginChainStatus(
        isMatched: true, priority: slot.priority,
        accessHasExecuted: place < accessHasRun.count && accessHasRun[place])
    }
    guard let priority = snapshot.configuredPlugins[name] else { return nil }
    return PluginChainStatus(isMatched: false, priority: priority, accessHasExecuted: false)
  }
}

/// Names of plugins as conditions spell them.
enum PluginNames {
  /// Whether `name` with its hyphens as underscores is `underscored`.
  static func areEqual(_ name: String, underscored: String) -> Bool {
    name.utf8.elementsEqual(underscored.utf8) { left, right in
      left == right || (left == UInt8(ascii: "-") && right == UInt8(ascii: "_"))
    }
  }
}
