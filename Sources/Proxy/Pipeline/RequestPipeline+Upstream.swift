import Logging
import NIOCore
import NIOSSL
import PluginKit

/// Choosing an upstream peer, connecting, sending, trying again.
extension RequestPipeline {
  func startUpstream(_ context: RequestContext) {
    stage = .upstream
    context.accessEndedAt = NIODeadline.now().uptimeNanoseconds
    attemptsLeft = max(context.upstream.retries, 0)
    attempt(context)
  }

  private func attempt(_ context: RequestContext) {
    attemptNumber += 1
    let target = context.upstream
    let service = route?.service
    let peer: Peer
    if let service, let balancer = service.balancer, target.host == service.host {
      guard let next = balancer.next(excluding: triedPeers) else {
        return answer(
          ErrorResponder.response(
            status: 503, message: "failure to get a peer from the ring-balancer", for: context), context)
      }
      peer = next
      triedPeers.append(next.index)
    } else {
      peer = Peer(host: target.host, port: target.port, hostHeader: nil, index: -1)
    }
    let number = attemptNumber
    loop.names.resolve(peer.host) { [self] result in
      guard number == attemptNumber, context === self.context else { return }
      switch result {
      case .success(let addresses) where !addresses.isEmpty:
        connect(peer, address: addresses[(triedPeers.count + staleAttempts) % addresses.count], context)
      default:
        loop.logger.error("name resolution of '\(peer.host)' failed, request_id: \(context.requestID)")
        answer(ErrorResponder.response(status: 503, message: "name resolution failed", for: context), context)
      }
    }
  }

  private func connect(_ peer: Peer, address: String, _ context: RequestContext) {
    let target = context.upstream
    let host = hostHeader(peer, target)
    context.tries.append(
      UpstreamTry(
        ip: address, port: peer.port, balancerStart: loop.wallMilliseconds(), balancerLatencyNanoseconds: 0))
    let isTLS = target.scheme == "https" || target.scheme == "wss" || target.scheme == "grpcs"
    var tls: UpstreamTLS?
    if isTLS {
      tls = route?.service?.tls ?? loop.defaultUpstreamTLS
      guard tls != nil else {
        loop.logger.error("TLS to upstreams is not available, request_id: \(context.requestID)")
        return answerGatewayError(502, context)
      }
    }
    let identity = UpstreamIdentity(
      address: address, port: peer.port, tlsIdentity: tls?.identity,
      serverName: isTLS ? Self.hostName(of: host) : nil)
    let pool = loop.pool(for: identity)
    if let idle = pool.take() {
      connectionWasReused = true
      return send(idle, host: host, context)
    }
    connectionWasReused = false
    let number = attemptNumber
    pool.connect(tls: tls?.context, timeout: .milliseconds(target.connectTimeoutMilliseconds)) { [self] result in
      guard number == attemptNumber, context === self.context else {
        // The request has gone on without it.
        if case .success(let late) = result { late.close() }
        return
      }
      switch result {
      case .success(let connection): send(connection, host: host, context)
      case .failure(let failure): upstreamFailed(failure)
      }
    }
  }

  /// Source: Kong fact, proxy-behaviour §5 "Host".
  private func hostHeader(_ peer: Peer, _ target: UpstreamTarget) -> String {
    if let header = target.hostHeader ?? peer.hostHeader { return header }
    let name = peer.host.contains(":") ? "[\(peer.host)]" : peer.host
    let isDefault = peer.port == (target.scheme == "https" || target.scheme == "grpcs" ? 443 : 80)
    return isDefault ? name : "\(name):\(peer.port)"
  }

  private static func hostName(of host: String) -> String {
    guard !host.hasPrefix("["), let colon = host.lastIndex(of: ":") else { return host }
    return String(host[..<colon])
  }

  // MARK: Sending

  private func send(_ connection: UpstreamHandler, host: String, _ context: RequestContext) {
    guard let head else { return }
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
    var bytes = ByteBuffer()
    UpstreamRequestHead(
      context: context, connection: self.connection.connection, texts: loop.texts, host: host, body: body,
      isUpgrade: isUpgrade, namesFields: head.connection.contains(.namesFields),
      sendsRequestID: loop.configuration.sendsRequestIDUpstream, prefix: context.strippedPrefix
    ).write(to: &bytes)
    requestWasSent = true
    if let known {
      if known.readableBytes <= ClientHandler.coalescingLimit {
        bytes.writeImmutableBuffer(known)
        connection.write(bytes)
      } else {
        connection.write(bytes)
        connection.write(known)
      }
      connection.flush()
      connection.requestIsComplete()
      return
    }
    connection.write(bytes)
    if head.body == .none || self.connection.bodyIsReceived && bodyStream == .none && head.body == .fixed(0) {
      connection.flush()
      connection.requestIsComplete()
      return
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
    default: context.requestHeaders.contains("content-length")
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
