import NIOCore

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The open access log.
final class AccessLogFile: Sendable {
  private let descriptor: Int32
  private let isOwned: Bool

  struct OpenError: Error, CustomStringConvertible {
    let path: String
    let code: Int32
    var description: String { "access log '\(path)' cannot be opened: \(String(cString: strerror(code)))" }
  }

  /// Nil when the log is off.
  static func open(_ target: ProxyConfiguration.LogTarget) throws -> AccessLogFile? {
    switch target {
    case .off: return nil
    case .standardOutput: return AccessLogFile(descriptor: STDOUT_FILENO, isOwned: false)
    case .file(let path):
      let descriptor = path.withCString { systemOpen($0) }
      guard descriptor >= 0 else { throw OpenError(path: path, code: errno) }
      return AccessLogFile(descriptor: descriptor, isOwned: true)
    }
  }

  private static func systemOpen(_ path: UnsafePointer<CChar>) -> Int32 {
    #if canImport(Glibc)
      Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    #elseif canImport(Musl)
      Musl.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    #else
      Darwin.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
    #endif
  }

  private init(descriptor: Int32, isOwned: Bool) {
    self.descriptor = descriptor
    self.isOwned = isOwned
  }

  deinit { if isOwned { close(descriptor) } }

  /// Blocks until all is written or the system refuses.
  func write(_ piece: ByteBuffer) {
    piece.withUnsafeReadableBytes { bytes in
      var rest = bytes
      while let base = rest.baseAddress, rest.count > 0 {
        let written = systemWrite(base, rest.count)
        if written < 0 {
          if errno == EINTR { continue }
          return
        }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
      }
    }
  }

  private func systemWrite(_ base: UnsafeRawPointer, _ count: Int) -> Int {
    #if canImport(Glibc)
      Glibc.write(descriptor, base, count)
    #elseif canImport(Musl)
      Musl.write(descriptor, base, count)
    #else
      Darwin.write(descriptor, base, count)
    #endif
  }
}
