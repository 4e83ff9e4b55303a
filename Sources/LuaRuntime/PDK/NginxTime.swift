import NIOCore
import PluginKit

/// Clocks and waiting of `ngx`. Source: Kong fact, pdk §7.
enum NginxTimeNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("ngx.now", .any, "Seconds since the epoch with milliseconds.") {
      (call) throws(LuaFault) in call.returns(TextTools.now())
    },
    PDKFunction("ngx.time", .any, "Whole seconds since the epoch.") {
      (call) throws(LuaFault) in call.returns(TextTools.now().rounded(.down))
    },
    PDKFunction("ngx.update_time", .any, "Nothing: the clock is always read anew.") { (call) throws(LuaFault) in },
    PDKFunction("ngx.today", .any, "Date.") { (call) throws(LuaFault) in
      call.returns(CalendarTime(TextTools.now())?.date)
    },
    PDKFunction("ngx.utctime", .any, "Date and time in UTC.") { (call) throws(LuaFault) in
      call.returns(CalendarTime(TextTools.now()).map { "\($0.date) \($0.time)" })
    },
    // Kong compatibility: the local time of a gateway is UTC.
    PDKFunction("ngx.localtime", .any, "Date and time, in UTC.") { (call) throws(LuaFault) in
      call.returns(CalendarTime(TextTools.now()).map { "\($0.date) \($0.time)" })
    },
    PDKFunction("ngx.http_time", .any, arguments: "seconds", "Time as HTTP headers write it.") {
      (call) throws(LuaFault) in
      let time = try time(call, "http_time")
      call.returns(
        "\(CalendarTime.weekdays[time.weekday]), \(CalendarTime.two(time.day)) \(CalendarTime.months[time.month - 1]) "
          + "\(time.year) \(time.time) GMT")
    },
    PDKFunction("ngx.cookie_time", .any, arguments: "seconds", "Time as cookies write it.") { (call) throws(LuaFault) in
      let time = try time(call, "cookie_time")
      call.returns(
        "\(CalendarTime.weekdays[time.weekday]), \(CalendarTime.two(time.day))-\(CalendarTime.months[time.month - 1])-"
          + "\(CalendarTime.two(time.year % 100)) \(time.time) GMT")
    },
    PDKFunction("ngx.parse_http_time", .any, arguments: "text", "Seconds since the epoch, nil for other texts.") {
      (call) throws(LuaFault) in
      guard let text = call.string(0), let seconds = parse(text) else { return call.returnNil() }
      call.returns(seconds)
    },
    .controlling(
      "ngx.sleep", .any, arguments: "seconds",
      "Waits without blocking.",
      { (call) throws(LuaFault) in
        guard let seconds = call.number(0), seconds >= 0, seconds < 1e9 else {
          throw LuaFault("invalid sleep duration")
        }
        return .wait(
          LuaWait { _, eventLoop, completion in
            // The wait stays on the request's loop.
            nonisolated(unsafe) let completion = completion
            eventLoop.scheduleTask(in: .microseconds(Int64(seconds * 1_000_000))) {
              completion { _ in }
            }
          })
      }),
  ]

  private static func time(_ call: LuaCall, _ function: String) throws(LuaFault) -> CalendarTime {
    guard let seconds = call.number(0), let time = CalendarTime(seconds) else {
      throw LuaFault("bad argument #1 to '\(function)' (number expected, got \(call.typeName(0)))")
    }
    return time
  }

  /// Reads `Thu, 18 Nov 2010 11:27:35 GMT` (RFC 9110 §5.6.7, IMF-fixdate).
  private static func parse(_ text: String) -> Int? {
    let parts = text.split(whereSeparator: { $0 == " " || $0 == "," })
    guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), (1...31).contains(day),
      let month = CalendarTime.months.firstIndex(of: String(parts[2])), let year = Int(parts[3]),
      (1970...9999).contains(year)
    else { return nil }
    let clock = parts[4].split(separator: ":").compactMap { Int($0) }
    guard clock.count == 3, (0...23).contains(clock[0]), (0...59).contains(clock[1]), (0...60).contains(clock[2])
    else { return nil }
    return CalendarTime.seconds(
      year: year, month: month + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2])
  }
}
