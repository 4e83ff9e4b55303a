import Foundation

/// A TCP connection of a test, byte for byte: for requests that a well-behaved client would not send.
///
/// Blocking, with a time limit on every read; used by one thread at a time.
public final class SocketConnection {
  private let descriptor: Int32
  private var buffered: [UInt8] = []

  /// - Parameter timeout: limit of each single read or write in seconds.
  public init(host: String = "127.0.0.1", port: Int, timeout: Int = 10) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw SocketError.failed("socket", errno) }
    var limit = timeval(tv_sec: timeout, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var noDelay: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &noDelay, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    inet_pton(AF_INET, host, &address.sin_addr)
    let connected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    guard connected else {
      let code = errno
      close(descriptor)
      throw SocketError.failed("connect to port \(port)", code)
    }
  }

  deinit { close(descriptor) }

  public func send(_ text: String) throws { try send(Array(text.utf8)) }

  public func send(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.send(descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { throw SocketError.failed("send", errno) }
      offset += count
    }
  }

  /// Closes the sending half, as a client does that has nothing more to say.
  public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }

  /// More bytes; empty at the end of the stream.
  public func receive() throws -> [UInt8] {
    if !buffered.isEmpty {
      defer { buffered = [] }
      return buffered
    }
    var chunk = [UInt8](repeating: 0, count: 65536)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count < 0 {
      if errno == ECONNRESET { return [] }
      throw SocketError.failed("receive", errno)
    }
    return Array(chunk.prefix(count))
  }

  /// Everything until the peer closes.
  public func receiveAll() throws -> String {
    var all: [UInt8] = []
    while true {
      let chunk = try receive()
      if chunk.isEmpty { return String(decoding: all, as: UTF8.self) }
      all += chunk
    }
  }

  /// Keeps bytes for the next `receive`, used by readers that took too many.
  func putBack(_ bytes: [UInt8]) { buffered = bytes + buffered }
}

public enum SocketError: Error, CustomStringConvertible {
  case failed(String, Int32)
  case closedEarly(String)

  public var description: String {
    switch self {
    case .failed(let what, let code): "\(what): \(String(cString: strerror(code)))"
    case .closedEarly(let what): "connection closed while \(what)"
    }
  }
}
