#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Memory of a request that is over, for the next one of the same loop. Always empty when it is handed out.
final class RequestMemory {
  @exclusivity(unchecked) var requestHeaders = HeaderBlock()
  @exclusivity(unchecked) var normalizedPath: [UInt8] = []
  @exclusivity(unchecked) var tries: [UpstreamTry] = []
  @exclusivity(unchecked) var upstreamPath: [UInt8] = []
  @exclusivity(unchecked) var responseHeaders = HeaderBlock()

  init() {}

  /// What one request may leave behind; an unusually large one gives its memory back to the system.
  private static let limit = 16384

  var isWorthKeeping: Bool {
    requestHeaders.capacity <= Self.limit && responseHeaders.capacity <= Self.limit
      && normalizedPath.capacity <= Self.limit && upstreamPath.capacity <= Self.limit && tries.capacity <= 8
  }

  /// Nothing of the old request stays readable.
  func clear() {
    requestHeaders.removeAll()
    responseHeaders.removeAll()
    normalizedPath.removeAll(keepingCapacity: true)
    upstreamPath.removeAll(keepingCapacity: true)
    tries.removeAll(keepingCapacity: true)
  }
}

/// Marks the thread of a loop.
struct ThreadMark {
  private let thread = pthread_self()

  var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }
}
