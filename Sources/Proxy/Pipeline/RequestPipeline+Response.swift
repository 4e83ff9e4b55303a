import Logging
import NIOCore
import PluginKit

/// The response on its way to the client.
extension RequestPipeline {
  // MARK: Made here

  /// An error of the gateway itself, in the form for those.
  func answerGatewayError(_ status: Int, _ context: RequestContext) {
    answer(ErrorResponder.gatewayResponse(status: status, for: context), context)
  }

  /// Sends a response made by a plugin or by the gateway.
  func answer(_ response: EarlyResponse, _ context: RequestContext) {
    closeUpstream()
    bodyStream = .none
    connection.holdBody()
    stage = .sending
    context.earlyResponse = nil
    take(response, context)
    context.response.source = response.source
    var body = response.body ?? ByteBuffer()
    if !runCollected(.headerFilter, context) {
      let failure = ErrorResponder.response(status: 500, for: context)
      context.response.headers.removeAll()
      take(failure, context)
      context.response.source = .error
      body = failure.body ?? ByteBuffer()
    } else if let override = context.earlyResponse {
      context.earlyResponse = nil
      take(override, context)
      body = override.body ?? ByteBuffer()
    }
    sendWhole(body, context)
  }

  /// Status, headers and length of a response made here.
  private func take(_ response: EarlyResponse, _ context: RequestContext) {
    context.response.status = response.status
    for header in response.headers { context.response.headers.set(header.name, header.value) }
    if !response.headers.contains(where: { $0.name.lowercased() == "content-length" }) {
      context.response.headers.set("Content-Length", String(response.body?.readableBytes ?? 0))
    }
  }

  /// Sends a body that is all there: filtered once, as the last chunk, so that its length is known.
  private func sendWhole(_ body: ByteBuffer, _ context: RequestContext) {
    stage = .sending
    var body = body
    context.response.headersSent = true
    if collectedPhases.contains(.bodyFilter) {
      guard let filtered = filter(body, isLast: true, context) else { return abortResponse(context) }
      body = filtered
    }
    writeHead(.fixed(body.readableBytes), context)
    writeBody(body, context)
    endResponse(context)
  }

  // MARK: From the upstream

  /// Memory for the fields of the upstream's response.
  func takeSpareHeaders() -> HeaderBlock { context?.takeSpareHeaders() ?? HeaderBlock() }

  func upstreamHead(_ head: HTTP1ResponseParser.Head, _ headers: HeaderBlock, hasBody: Bool) {
    guard let context else { return }
    context.upstreamRespondedAt = loop.now.uptimeNanoseconds
    upstreamHead = head
    upstreamHasBody = hasBody
    takeUpstreamHead(head.status, headers, context)
    if context.buffersResponse {
      stage = .buffering
      heldBody = ByteBuffer()
      return
    }
    guard filterHeaders(context) else { return }
    stage = .sending
    guard collectedPhases.contains(.bodyFilter) else {
      context.response.headersSent = true
      writeHead(length(of: head, context), context)
      return
    }
    context.response.headersSent = true
    headIsHeld = true
  }

  private func takeUpstreamHead(_ status: Int, _ headers: HeaderBlock, _ context: RequestContext) {
    // A plugin may have set the status before; the upstream's comes later and counts.
    if !context.response.takeUpstreamHead(status, headers) {
      // What plugins set before comes first and stays beside the upstream's; of fields that there can be only one of,
      // the upstream's counts.
      var merged = HeaderBlock()
      context.response.headers.forEach { name, value in
        if !Self.isSingle(name) || headers.firstIndex(ofName: name) == nil { merged.append(name: name, value: value) }
      }
      headers.forEach { name, value in merged.append(name: name, value: value) }
      context.response.headers = merged
    }
  }

  private static func isSingle(_ name: UnsafeRawBufferPointer) -> Bool {
    switch name.count {
    case 4: name.isText("date") || name.isText("etag")
    case 6: name.isText("server")
    case 8: name.isText("location")
    case 12: name.isText("content-type")
    case 13: name.isText("last-modified")
    case 14: name.isText("content-length")
    default: false
    }
  }

  /// Runs header_filter on the upstream's response.
  ///
  /// - Returns: False when a plugin answered instead or failed; the response is then over.
  private func filterHeaders(_ context: RequestContext) -> Bool {
    guard collectedPhases.contains(.headerFilter) else { return true }
    context.earlyResponse = nil
    if !runCollected(.headerFilter, context) {
      closeUpstream()
      context.response.headers.removeAll()
      let failure = ErrorResponder.response(status: 500, for: context)
      take(failure, context)
      context.response.source = .error
      sendWhole(failure.body ?? ByteBuffer(), context)
      return false
    }
    if let override = context.earlyResponse {
      context.earlyResponse = nil
      closeUpstream()
      take(override, context)
      context.response.source = override.source
      sendWhole(override.body ?? ByteBuffer(), context)
      return false
    }
    return true
  }

  /// How the upstream's response is framed for this client.
  private func length(of head: HTTP1ResponseParser.Head, _ context: RequestContext) -> ResponseHead.Length {
    switch head.body {
    case .fixed(let length): return .fixed(length)
    case .none: return .none
    case .chunked, .untilClose:
      if StatusLine.isBodyless(head.status) || isHeadRequest && head.body == .untilClose { return .none }
      return context.httpVersion == 10 ? .untilClose : .chunked
    }
  }

  func upstreamBody(_ chunk: ByteBuffer) {
    guard let context else { return }
    switch stage {
    case .buffering:
      guard heldBody.readableBytes + chunk.readableBytes < Self.largestCollectedBody else {
        return upstreamFailed(.malformedResponse)
      }
      heldBody.writeImmutableBuffer(chunk)
    case .sending:
      guard collectedPhases.contains(.bodyFilter) else { return writeBody(chunk, context) }
      guard let filtered = filter(chunk, isLast: false, context) else { return abortResponse(context) }
      if headIsHeld {
        heldBody.writeImmutableBuffer(filtered)
      } else {
        writeBody(filtered, context)
      }
    case .idle, .rewrite, .access, .upstream, .response, .tunnel: break
    }
  }

  /// All bytes of this read have been handed over: what is ready goes out.
  func upstreamReadCompleted() {
    if headIsHeld, stage == .sending, let context { releaseHead(.unknown, context) }
    connection.flush()
  }

  private enum KnownLength {
    case unknown
    case whole
  }

  /// Sends the head that waited for filtered bytes, and those. The length that the upstream announced is not the
  /// filtered one: it is the held bytes' when they are all, else chunks tell the end.
  ///
  /// Kong compatibility: Kong sends the upstream's Content-Length unless a plugin clears it, and then breaks the
  /// response when a plugin changed the length.
  private func releaseHead(_ length: KnownLength, _ context: RequestContext) {
    headIsHeld = false
    let body = heldBody
    heldBody = ByteBuffer()
    if isHeadRequest || StatusLine.isBodyless(context.response.status), let upstreamHead {
      writeHead(self.length(of: upstreamHead, context), context)
    } else if case .whole = length {
      writeHead(.fixed(body.readableBytes), context)
    } else {
      writeHead(context.httpVersion == 10 ? .untilClose : .chunked, context)
    }
    writeBody(body, context)
  }

  func upstreamEnded() {
    guard let context else { return }
    upstream = nil
    attemptNumber += 1
    // An answer before the request was whole: the rest of the body is not wanted any more.
    if bodyStream != .none {
      bodyStream = .none
      connection.holdBody()
    }
    switch stage {
    case .buffering:
      context.response.bufferedBody = heldBody
      heldBody = ByteBuffer()
      stage = .response
      runResponsePhase(from: 0, context)
    case .sending:
      if collectedPhases.contains(.bodyFilter) {
        guard let filtered = filter(ByteBuffer(), isLast: true, context) else { return abortResponse(context) }
        if headIsHeld {
          heldBody.writeImmutableBuffer(filtered)
          releaseHead(.whole, context)
        } else {
          writeBody(filtered, context)
        }
      }
      endResponse(context)
    case .idle, .rewrite, .access, .upstream, .response, .tunnel: break
    }
  }

  // MARK: Response phase

  private func runResponsePhase(from index: Int, _ context: RequestContext) {
    guard collectedPhases.contains(.response) else { return sendBuffered(context) }
    cursor = index
    while cursor < collected.count {
      if let plugin = collected[cursor], plugin.phases.contains(.response) {
        guard let outcome = run(plugin, .response, context) else { return }
        if endsResponsePhase(outcome, context) { return }
      }
      cursor += 1
    }
    sendBuffered(context)
  }

  func responsePhaseReturned(_ outcome: PhaseOutcome, _ context: RequestContext) {
    if endsResponsePhase(outcome, context) { return }
    runResponsePhase(from: cursor + 1, context)
  }

  private func endsResponsePhase(_ outcome: PhaseOutcome, _ context: RequestContext) -> Bool {
    if case .failed = outcome {
      context.response.headers.removeAll()
      answer(ErrorResponder.response(status: 500, for: context), context)
      return true
    }
    guard let response = context.earlyResponse else { return false }
    answer(response, context)
    return true
  }

  private func sendBuffered(_ context: RequestContext) {
    guard filterHeaders(context) else { return }
    guard upstreamHasBody, !isHeadRequest else {
      context.response.headersSent = true
      if let upstreamHead { writeHead(length(of: upstreamHead, context), context) }
      return endResponse(context)
    }
    sendWhole(context.response.bufferedBody ?? ByteBuffer(), context)
  }

  // MARK: Writing

  /// Runs body_filter; nil when a plugin failed.
  private func filter(_ chunk: ByteBuffer, isLast: Bool, _ context: RequestContext) -> ByteBuffer? {
    // A plugin has ended the body: what the upstream still sends goes nowhere.
    if context.response.isLastChunk { return ByteBuffer() }
    context.response.chunk = chunk
    context.response.isLastChunk = isLast
    let succeeded = runCollected(.bodyFilter, context)
    let filtered = context.response.chunk ?? ByteBuffer()
    context.response.chunk = nil
    return succeeded ? filtered : nil
  }

  private func writeHead(_ length: ResponseHead.Length, _ context: RequestContext) {
    let status = context.response.status
    let isBodyless = isHeadRequest || StatusLine.isBodyless(status)
    var length = length
    switch length {
    case .none: framing = .none
    case .fixed(let count):
      framing = isBodyless ? .none : .fixed(remaining: count)
      if status == 204 || status < 200 { length = .none }
    case .chunked:
      framing = isBodyless ? .none : .chunked
      if StatusLine.isBodyless(status) { length = .none }
    case .untilClose:
      framing = isBodyless ? .none : .untilClose
      if framing == .untilClose { connection.closeAfterResponse() }
    }
    writeResponseHead(status, length, isUpgrade: false, context)
  }

  private func writeResponseHead(
    _ status: Int, _ length: ResponseHead.Length, isUpgrade: Bool, _ context: RequestContext
  ) {
    countResponse()
    let isProxied = context.response.source == .service
    let namesFields = isProxied && upstreamHead?.connection.contains(.namesFields) == true
    let head = ResponseHead(
      status: status, length: length, keepsAlive: connection.decideKeepAlive(), isUpgrade: isUpgrade,
      takesTrailers: isProxied && clientTakesTrailers(context),
      nominated: namesFields ? NominatedName.all(in: context.response.upstreamHeaders ?? HeaderBlock()) : [])
    context.response.totalSize += connection.withOutbound { head.write(to: &$0, context, loop) }
  }

  private func clientTakesTrailers(_ context: RequestContext) -> Bool {
    guard context.response.headers.contains(.trailer), let index = context.requestHeaders.firstIndex(of: .te) else {
      return false
    }
    var takes = false
    context.requestHeaders.withValue(at: index) { value in
      value.forEachListMember { if $0.isText("trailers") { takes = true } }
    }
    return takes
  }

  /// Sends body bytes in the response's framing. Bytes beyond an announced length are dropped: they would be read as
  /// the beginning of another response.
  private func writeBody(_ chunk: ByteBuffer, _ context: RequestContext) {
    guard chunk.readableBytes > 0 else { return }
    var chunk = chunk
    switch framing {
    case .none: return
    case .fixed(let remaining):
      if chunk.readableBytes > remaining {
        chunk = chunk.getSlice(at: chunk.readerIndex, length: remaining) ?? ByteBuffer()
      }
      framing = .fixed(remaining: remaining - chunk.readableBytes)
      connection.write(chunk)
    case .chunked: ChunkedCoding.write(chunk) { connection.write($0) }
    case .untilClose: connection.write(chunk)
    }
    context.response.countBody(chunk.readableBytes)
  }

  /// The response is complete.
  private func endResponse(_ context: RequestContext) {
    switch framing {
    case .chunked: connection.write(ChunkedCoding.end)
    case .fixed(let remaining) where remaining > 0: return abortResponse(context)
    case .none, .fixed, .untilClose: break
    }
    connection.flush()
    finish(context)
  }

  var wantsUpstreamBytes: Bool { connection.isWritable || stage == .buffering }

  func clientBecameWritable() { upstream?.resumeReading() }

  // MARK: Tunnel

  /// The upstream agreed to switch protocols: from here on bytes pass both ways unread.
  func upstreamUpgraded(_ head: HTTP1ResponseParser.Head, _ headers: HeaderBlock) {
    guard let context else { return }
    context.upstreamRespondedAt = loop.now.uptimeNanoseconds
    upstreamHead = head
    takeUpstreamHead(head.status, headers, context)
    guard filterHeaders(context) else { return }
    context.response.headersSent = true
    writeResponseHead(101, .none, isUpgrade: true, context)
    stage = .tunnel
    connection.becomeTunnel()
  }

  func upstreamTunnelBytes(_ bytes: ByteBuffer) {
    context?.response.bodySize += bytes.readableBytes
    connection.write(bytes)
  }

  func upstreamTunnelClosed() {
    guard let context else { return }
    upstream = nil
    connection.flush()
    let connection = self.connection
    clientIsGone = true
    finish(context)
    connection.closeTunnel()
  }
}
