#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

extension UnsafeRawBufferPointer {
  /// Offset of the first LF. `memchr` is vectorised, which a loop over checked bytes is not.
  @inline(__always)
  var firstNewline: Int? {
    guard let base = baseAddress, count > 0, let found = memchr(base, 0x0A, count) else { return nil }
    return UnsafeRawPointer(found) - base
  }
}
