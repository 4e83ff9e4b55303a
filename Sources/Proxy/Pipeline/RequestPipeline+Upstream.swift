import Logging
import NIOCore
import NIOSSL
import PluginKit

/// Choosing an upstream peer, connecting, sending, trying again.
extension RequestPipeline {
  func startUpstream(_ context: RequestContext) {
    stage = .upstream
    context.accessEndedAt = loop.now.uptimeNanoseconds
    attemptsLeft = max(context.upstream.retries, 0)
    if head.body == .chunked, context.requestBody.bytes == nil, route?.requestBuffering != false {
      bodyStream = .prefetching
      return connection.deliverBody()
    }
    attempt(context)
  }

  /// Chunked bodies up to this size reach the upstream with a length, which every upstream understands.
  static let prefetchLimit = 65536

  /// The first bytes of a chunked body, or all of it, have been collected.
  func prefetched(isWhole: Bool, _ context: RequestContext) {
    bodyStream = .none
    if isWhole {
      context.requestBody = .complete(bodyBuffer)
      bodyBuffer = ByteBuffer()
    } else {
      connection.holdBody()
    }
    attempt(context)
  }

  private func attempt(_ context: RequestContext) {
    attemptNumber += 1
    let service = route?.service
    // A plugin may have chosen another place than the service's.
    let isUnchanged = service.map { context.upstream.sharesSettings(with: $0.target) } ?? false
    let isOwnTarget = isUnchanged || service.map { context.upstream.leadsToSamePlace(as: $0.target) } ?? false
    // A Host of the request's own decides the server name of TLS, hence where the connection leads.
    let isUsual =
      isUnchanged
      || isOwnTarget && (!context.upstream.isTLS || (context.upstream.hostHeader == nil && context.upstream.tls == nil))
    var index = -1
    var chosen: Peer?
    if let balancer = isOwnTarget ? service?.balancer : balancer(for: context.upstream.host) {
      guard let next = balancer.next(excluding: triedPeers) else {
        return answer(
          ErrorResponder.response(
            status: 503, message: "failure to get a peer from the ring-balancer", for: context), context)
      }
      index = next.index
      chosen = next
      triedPeers.append(index)
    }
    if isUsual, let service, let destination = loop.destinations.find(service, peer: index) {
      return connect(destination, context)
    }
    let peer = chosen ?? Peer(host: context.upstream.host, port: context.upstream.port, hostHeader: nil, index: -1)
    let number = attemptNumber
    loop.names.resolve(peer.host) { [self] result in
      loop.readClock()
      guard number == attemptNumber, context === self.context else { return }
      switch result {
      case .success(let addresses) where !addresses.isEmpty:
        let address = addresses[(triedPeers.count + staleAttempts) % addresses.count]
        guard let destination = destination(peer, address: address, context) else {
          return answerGatewayError(502, context)
        }
        if isUsual, let service { loop.destinations.keep(destination, of: service, peer: index) }
        connect(destination, context)
      default:
        loop.logger.error("name resolution of '\(peer.host)' failed, request_id: \(context.requestID)")
        answer(ErrorResponder.response(status: 503, message: "name resolution failed", for: context), context)
      }
    }
  }

  /// The Upstream of that name, which a plugin may have chosen.
  private func balancer(for host: String) -> Balancer? {
    if let service = route?.service, service.host == host { return service.balancer }
    return snapshot.balancers.isEmpty ? nil : snapshot.balancers[host]
  }

  /// Nil, with a line in the log, when TLS is wanted and cannot be had.
  private func destination(_ peer: Peer, address: String, _ context: RequestContext) -> UpstreamDestination? {
    let target = context.upstream
    var tls: UpstreamTLS?
    if target.isTLS {
      tls = route?.service?.tls ?? loop.defaultUpstreamTLS
      if let override = target.tls {
        do {
          tls = try loop.upstreamTLS(tls, with: override)
        } catch {
          loop.logger.error("TLS settings of a plugin cannot be used: \(error), request_id: \(context.requestID)")
          return nil
        }
      }
      guard tls != nil else {
        loop.logger.error("TLS to upstreams is not available, request_id: \(context.requestID)")
        return nil
      }
    }
    let host = (tls == nil ? nil : target.hostHeader) ?? hostHeader(peer, target)
    return UpstreamDestination(
      loop: loop, address: address, port: peer.port, host: host, tls: tls, expiry: loop.names.expiry(of: peer.host))
  }

  private func connect(_ destination: UpstreamDestination, _ context: RequestContext) {
    context.tries.append(
      UpstreamTry(
        ip: destination.address, port: destination.port, balancerStart: loop.wallMilliseconds,
        balancerLatencyNanoseconds: 0))
    let pool = destination.pool
    if let idle = pool.take() {
      connectionWasReused = true
      return send(idle, destination, context)
    }
    connectionWasReused = false
    let number = attemptNumber
    pool.connect(
      tls: destination.tls?.context, timeout: .milliseconds(context.upstream.connectTimeoutMilliseconds)
    ) { [self] result in
      loop.readClock()
      guard number == attemptNumber, context === self.context else {
        // The request has gone on without it.
        if case .success(let late) = result { late.close() }
        return
      }
      switch result {
      case .success(let connection): send(connection, destination, context)
      case .failure(let failure): upstreamFailed(failure)
      }
    }
  }

  /// Source: Kong fact, proxy-behaviour §5 "Host".
  private func hostHeader(_ peer: Peer, _ target: UpstreamTarget) -> String {
    if let header = peer.hostHeader { return header }
    let name = peer.host.utf8.contains(UInt8(ascii: ":")) ? "[\(peer.host)]" : peer.host
    let isDefault = peer.port == (target.scheme == "https" || target.scheme == "grpcs" ? 443 : 80)
    return isDefault ? name : "\(name):\(peer.port)"
  }

  // MARK: Sending

  private func send(_ connection: UpstreamHandler, _ destination: UpstreamDestination, _ context: RequestContext) {
    let head = self.head
    upstream = connection
    let isUpgrade =
      head.hasUpgrade && head.connection.contains(.upgrade) && head.version == 11 && head.body == .none
      && context.requestHeaders.first("upgrade")?.lowercased() == "websocket"
    connection.begin(
      self, target: context.upstream, expectsNoBody: context.method == .head, allowsUpgrade: isUpgrade)
    var known: ByteBuffer?
    let body: UpstreamRequestHead.Body
    switch context.requestBody {
    case .complete(let bytes):
      known = bytes
      body = bytes.readableBytes == 0 && !hasLength(context) ? .none : .fixed(bytes.readableBytes)
    case .replaced(let bytes):
      known = bytes
      body = .fixed(bytes.readableBytes)
    case .unread:
      switch head.body {
      case .none, .untilClose: body = hasLength(context) ? .fixed(0) : .none
      case .fixed(let length): body = .fixed(length)
      case .chunked: body = .chunked
      }
    }
    let requestHead = UpstreamRequestHead(
      host: context.upstream.hostHeader, body: body, isUpgrade: isUpgrade,
      namesFields: head.connection.contains(.namesFields))
    guard requestHead.isSafe(context, destination) else {
      loop.logger.error("method or host set by a plugin cannot be sent, request_id: \(context.requestID)")
      return answerGatewayError(500, context)
    }
    requestWasSent = true
    if let known {
      let isSmall = known.readableBytes <= ClientHandler.coalescingLimit
      connection.writeHead { bytes in
        requestHead.write(to: &bytes, context, loop, self.connection, destination)
        if isSmall { bytes.writeImmutableBuffer(known) }
      }
      if !isSmall { connection.write(known) }
      connection.flush()
      connection.requestIsComplete()
      return
    }
    connection.writeHead { requestHead.write(to: &$0, context, loop, self.connection, destination) }
    if head.body == .none {
      connection.flush()
      connection.requestIsComplete()
      return
    }
    if head.body == .chunked, bodyBuffer.readableBytes > 0 {
      // What was collected in the hope that it would be all.
      let collected = bodyBuffer
      bodyBuffer = ByteBuffer()
      bodyWasStreamed = true
      ChunkedCoding.write(collected) { connection.write($0) }
    }
    bodyStream = head.body == .chunked ? .chunked : .fixed
    self.connection.deliverBody()
    // What of the body was there already went along with the head.
    upstream?.flush()
  }

  /// Methods whose lack of a body upstreams want to see said (RFC 9110 §8.6), and clients that said it themselves.
  private func hasLength(_ context: RequestContext) -> Bool {
    switch context.method {
    case .post, .put, .patch: true
    default: context.requestHeaders.contains(.contentLength)
    }
  }

  // MARK: Failing

  /// The attempt failed. Tries again where that is safe, answers otherwise.
  func upstreamFailed(_ failure: UpstreamFailure) {
    guard let context else { return }
    closeUpstream()
    if !context.tries.isEmpty {
      context.tries[context.tries.count - 1].state = "failed"
      context.tries[context.tries.count - 1].code = failure.status
    }
    let attempt = context.tries.last
    loop.logger.error(
      """
      \(failure.reason), client: \(context.clientIP), upstream: \(attempt.map { "\($0.ip):\($0.port)" } ?? "-"), \
      host: "\(context.host)", request_id: "\(context.requestID)"
      """)
    if stage == .upstream, mayRetry(failure, context) {
      if connectionWasReused, failure == .closed {
        staleAttempts += 1
      } else {
        attemptsLeft -= 1
      }
      requestWasSent = false
      if let willRetry = context.willRetry {
        let host = context.upstream.host
        willRetry(context)
        if let response = context.earlyResponse { return answer(response, context) }
        // Peers of another Upstream are counted anew.
        if context.upstream.host != host { triedPeers.removeAll(keepingCapacity: true) }
      }
      return self.attempt(context)
    }
    bodyStream = .none
    connection.holdBody()
    if context.response.headersSent { return abortResponse(context) }
    context.response.upstreamStatus = nil
    context.response.upstreamHeaders = nil
    context.response.headers.removeAll()
    answerGatewayError(failure.status, context)
  }

  /// Source: Kong fact, proxy-behaviour §7. A kept connection that the upstream closed meanwhile costs no attempt.
  private func mayRetry(_ failure: UpstreamFailure, _ context: RequestContext) -> Bool {
    guard failure.allowsRetry, !bodyWasStreamed else { return false }
    let isStale = connectionWasReused && failure == .closed
    guard attemptsLeft > 0 || (isStale && staleAttempts < 16) else { return false }
    if !requestWasSent { return true }
    switch context.method {
    case .post, .patch: return false
    case .other(let name): return name != "LOCK"
    default: return true
    }
  }
}

extension UpstreamTarget {
  /// Whether scheme, host and port are the same.
  func leadsToSamePlace(as other: UpstreamTarget) -> Bool {
    port == other.port && host == other.host && scheme == other.scheme
  }
}
