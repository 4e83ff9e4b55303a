import NIOCore
import PluginKit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// The time as one loop sees it: read once per event, with the texts of the current second.
struct LoopClock {
  /// Monotonic time of the last reading.
  private(set) var now: NIODeadline
  /// The `Date` field with its CRLF.
  private(set) var dateField: [UInt8] = []
  /// The time as access logs have it.
  private(set) var logDate: [UInt8] = []
  private var second: Int64 = -1
  /// Nanoseconds from the monotonic clock to the wall clock.
  private var offset: Int64 = 0
  /// When the current second of the wall clock ends, on the monotonic clock.
  private var secondEnd: UInt64 = 0

  init() {
    now = .now()
    readWallClock()
  }

  /// Reads the monotonic clock; the wall clock too when a second is over.
  @inline(__always)
  mutating func read() {
    now = .now()
    if now.uptimeNanoseconds >= secondEnd { readWallClock() }
  }

  /// Milliseconds since the epoch at the last reading.
  var wallMilliseconds: Int64 { (Int64(bitPattern: now.uptimeNanoseconds) &+ offset) / 1_000_000 }

  private mutating func readWallClock() {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    let nanoseconds = Int64(time.tv_nsec)
    offset = Int64(time.tv_sec) * 1_000_000_000 + nanoseconds - Int64(bitPattern: now.uptimeNanoseconds)
    secondEnd = now.uptimeNanoseconds + UInt64(1_000_000_000 - nanoseconds)
    guard Int64(time.tv_sec) != second else { return }
    second = Int64(time.tv_sec)
    dateField = Array("Date: \(Self.httpDate(second))\r\n".utf8)
    logDate = Array(Self.logDate(second).utf8)
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

/// Makes request ids, random.
///
/// xoshiro256**, seeded from the system: ids must be unique, not secret.
struct RequestIdentifiers {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  init() {
    var system = SystemRandomNumberGenerator()
    state = (system.next(), system.next(), system.next(), system.next() | 1)
  }

  mutating func next() -> RequestIdentifier { RequestIdentifier(high: nextWord(), low: nextWord()) }

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
