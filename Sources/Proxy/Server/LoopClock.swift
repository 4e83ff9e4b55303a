#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// Wall clock of one loop with the `Date` field of the current second.
struct LoopClock {
  private var second: Int64 = -1
  private var field: [UInt8] = []

  func wallMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  mutating func dateField() -> [UInt8] {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    if Int64(time.tv_sec) != second {
      second = Int64(time.tv_sec)
      field = Array("Date: \(Self.httpDate(second))\r\n".utf8)
    }
    return field
  }

  /// IMF-fixdate (RFC 9110 §5.6.7).
  static func httpDate(_ second: Int64) -> String {
    var parts = tm()
    var time = time_t(second)
    gmtime_r(&time, &parts)
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    return "\(days[Int(parts.tm_wday) % 7]), \(two(parts.tm_mday)) \(month(parts)) \(Int(parts.tm_year) + 1900) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
  }

  /// The form of access logs: `22/Nov/2026:21:11:19 +0000`.
  static func logDate(_ second: Int64) -> String {
    var parts = tm()
    var time = time_t(second)
    gmtime_r(&time, &parts)
    return "\(two(parts.tm_mday))/\(month(parts))/\(Int(parts.tm_year) + 1900):\(two(parts.tm_hour)):"
      + "\(two(parts.tm_min)):\(two(parts.tm_sec)) +0000"
  }

  private static func month(_ parts: tm) -> String {
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    return months[Int(parts.tm_mon) % 12]
  }

  private static func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
}

/// Makes request ids: 32 lower-case hexadecimal digits, random.
///
/// xoshiro256**, seeded from the system: ids must be unique, not secret.
struct RequestIdentifiers {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  init() {
    var system = SystemRandomNumberGenerator()
    state = (system.next(), system.next(), system.next(), system.next() | 1)
  }

  mutating func next() -> String {
    let high = nextWord()
    let low = nextWord()
    return String(unsafeUninitializedCapacity: 32) { digits in
      for index in 0..<16 {
        let shift = UInt64(60 - 4 * index)
        digits[index] = Self.digit(high >> shift)
        digits[index + 16] = Self.digit(low >> shift)
      }
      return 32
    }
  }

  private static func digit(_ value: UInt64) -> UInt8 {
    let nibble = UInt8(truncatingIfNeeded: value & 0xF)
    return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + nibble - 10
  }

  private mutating func nextWord() -> UInt64 {
    func rotated(_ word: UInt64, _ count: UInt64) -> UInt64 { word << count | word >> (64 - count) }
    let result = rotated(state.1 &* 5, 7) &* 9
    let carry = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= carry
    state.3 = rotated(state.3, 45)
    return result
  }
}
