#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// C's number formats, where Lua's text of a number is the contract.
enum CFormat {
  /// `%.<digits>g`.
  static func general(_ value: Double, digits: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      let count = withVaList([digits, value]) { vsnprintf(buffer.baseAddress, 64, "%.*g", $0) }
      let length = max(0, min(Int(count), 63))
      return String(decoding: buffer.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }
}
