import Foundation

/// A port of 127.0.0.1 on which connections are refused.
///
/// Its socket is bound and never listens, and stays so while the process lives: the port cannot go to somebody else in
/// the meantime, as that of a server that has stopped can.
public func refusingPort() throws -> Int { try RefusingSocket().port }

/// A bound socket that refuses connections until a server of the test takes it and listens.
public struct RefusingSocket: Sendable {
  public let descriptor: CInt
  public let port: Int

  public init() throws {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
        bind(descriptor, generic, size) == 0 && getsockname(descriptor, generic, &size) == 0
      }
    }
    guard descriptor >= 0, result else { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EADDRINUSE) }
    self.descriptor = descriptor
    port = Int(UInt16(bigEndian: address.sin_port))
  }
}
