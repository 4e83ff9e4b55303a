import NIOCore
import PluginKit

/// The request's body on its way to a plugin or to the upstream.
extension RequestPipeline {
  func readRequestBody(_ context: RequestContext, _ completion: @escaping (Result<Void, RequestBodyError>) -> Void) {
    guard context === self.context else { return completion(.failure(.clientClosed)) }
    if context.requestBody.bytes != nil { return completion(.success(())) }
    if clientIsGone { return completion(.failure(.clientClosed)) }
    if head.body == .none {
      context.requestBody = .complete(ByteBuffer())
      return completion(.success(()))
    }
    // While the body streams to the upstream it is too late to have it.
    guard stage == .rewrite || stage == .access, !bodyWasStreamed else { return completion(.failure(.malformed)) }
    bodyWaiters.append(completion)
    guard bodyWaiters.count == 1 else { return }
    bodyStream = .collecting
    if case .fixed(let length) = head.body { bodyBuffer.reserveCapacity(min(length, 1 << 20)) }
    connection.deliverBody()
  }

  func failBodyWaiters(_ error: RequestBodyError) {
    let waiters = bodyWaiters
    bodyWaiters = []
    for waiter in waiters { waiter(.failure(error)) }
  }

  /// Whether more of the body may be read from the client.
  var wantsRequestBytes: Bool {
    switch bodyStream {
    case .collecting, .prefetching: return true
    case .fixed, .chunked: return upstream?.isWritable ?? false
    case .none: return stage == .tunnel ? upstream?.isWritable ?? false : true
    }
  }

  func requestBody(_ chunk: ByteBuffer) {
    guard let context else { return }
    context.requestBodySize += chunk.readableBytes
    if isTooLarge(context.requestBodySize) { return bodyFailed(.tooLarge, status: 413, context) }
    switch bodyStream {
    case .collecting:
      // A buffer cannot hold more; long before that the body should have streamed.
      guard context.requestBodySize < Self.largestCollectedBody else {
        return bodyFailed(.tooLarge, status: 413, context)
      }
      bodyBuffer.writeImmutableBuffer(chunk)
    case .prefetching:
      bodyBuffer.writeImmutableBuffer(chunk)
      if bodyBuffer.readableBytes >= Self.prefetchLimit { prefetched(isWhole: false, context) }
    case .fixed:
      bodyWasStreamed = true
      upstream?.write(chunk)
    case .chunked:
      bodyWasStreamed = true
      if let upstream { ChunkedCoding.write(chunk) { upstream.write($0) } }
    case .none: break
    }
  }

  static let largestCollectedBody = 1 << 30

  /// The client's bytes of this read have been taken in.
  func clientReadCompleted() {
    switch bodyStream {
    case .fixed, .chunked: upstream?.flush()
    case .collecting, .prefetching, .none: break
    }
  }

  func requestBodyEnded() {
    guard let context else { return }
    switch bodyStream {
    case .collecting:
      bodyStream = .none
      context.requestBody = .complete(bodyBuffer)
      bodyBuffer = ByteBuffer()
      let waiters = bodyWaiters
      bodyWaiters = []
      for waiter in waiters { waiter(.success(())) }
    case .prefetching: prefetched(isWhole: true, context)
    case .fixed:
      bodyStream = .none
      upstream?.flush()
      upstream?.requestIsComplete()
    case .chunked:
      bodyStream = .none
      upstream?.write(ChunkedCoding.end)
      upstream?.flush()
      upstream?.requestIsComplete()
    case .none: break
    }
  }

  func requestBodyMalformed() {
    guard let context else { return }
    bodyFailed(.malformed, status: 400, context)
  }

  func bodyTimedOut() {
    guard let context else { return }
    bodyFailed(.clientClosed, status: 408, context)
  }

  /// The body will not become whole: the request ends with `status`, or the response in the middle.
  private func bodyFailed(_ error: RequestBodyError, status: Int, _ context: RequestContext) {
    connection.closeAfterResponse()
    connection.holdBody()
    let wasCollecting = bodyWaiters.isEmpty ? false : true
    bodyStream = .none
    if wasCollecting {
      // The waiting plugin ends first; then the request does.
      overridingStatus = status
      return failBodyWaiters(error)
    }
    closeUpstream()
    if context.response.headersSent {
      abortResponse(context)
    } else {
      answerGatewayError(status, context)
    }
  }

  func upstreamBecameWritable() { connection.resumeReading() }

  // MARK: Tunnel

  func tunnelBytes(_ bytes: ByteBuffer) {
    context?.requestBodySize += bytes.readableBytes
    upstream?.write(bytes)
    upstream?.flush()
  }
}

/// The chunked transfer coding (RFC 9112 §7.1).
enum ChunkedCoding {
  static let end = ByteBuffer(staticString: "0\r\n\r\n")
  /// Chunks up to this size are copied behind their size line.
  private static let copyLimit = 4096

  /// Hands the chunk with its framing to `write`, in one piece if it is small. An empty chunk would end the body and is
  /// left out.
  static func write(_ chunk: ByteBuffer, _ write: (ByteBuffer) -> Void) {
    guard chunk.readableBytes > 0 else { return }
    var line = ByteBuffer()
    if chunk.readableBytes <= copyLimit {
      line.reserveCapacity(chunk.readableBytes + 12)
      writeSize(chunk.readableBytes, into: &line)
      line.writeImmutableBuffer(chunk)
      line.writeStaticString("\r\n")
      write(line)
    } else {
      writeSize(chunk.readableBytes, into: &line)
      write(line)
      write(chunk)
      write(ByteBuffer(staticString: "\r\n"))
    }
  }

  private static func writeSize(_ size: Int, into line: inout ByteBuffer) {
    line.writeString(String(size, radix: 16))
    line.writeStaticString("\r\n")
  }
}
