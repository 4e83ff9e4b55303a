import CEpoll
import Glibc
import NIOCore

extension SocketAddress {
  /// Nil for families that are neither IPv4, IPv6 nor Unix.
  init?(_ storage: sockaddr_storage) {
    let address: SocketAddress? = withUnsafeBytes(of: storage) { bytes in
      switch CInt(storage.ss_family) {
      case AF_INET: SocketAddress(bytes.loadUnaligned(as: sockaddr_in.self))
      case AF_INET6: SocketAddress(bytes.loadUnaligned(as: sockaddr_in6.self))
      case AF_UNIX: SocketAddress(bytes.loadUnaligned(as: sockaddr_un.self))
      default: nil
      }
    }
    guard let address else { return nil }
    self = address
  }

  static func local(of descriptor: CInt) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    guard slu_local_address(descriptor, &storage, &length) >= 0 else { return nil }
    return SocketAddress(storage)
  }

  /// The address stands for all of the machine's.
  var isWildcard: Bool { ipAddress == "0.0.0.0" || ipAddress == "::" }
}
