import PluginKit

/// What `ngx.timer` is made of. Source: Kong fact, pdk §7.
enum NginxTimerNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("timer.start", .any, level: .internal, arguments: "delay, number", "Has a function run later.") {
      (call) throws(LuaFault) in
      guard let delay = call.number(0), let number = call.number(1).flatMap({ Int(exactly: $0) }) else {
        throw LuaFault("delay must be a number")
      }
      if try call.host.startTimer(number, after: delay) {
        call.returns(true)
      } else {
        call.returnsFailure("too many pending timers")
      }
    },
    PDKFunction("timer.due", .any, level: .internal, "Number of the timer that runs.") {
      (call) throws(LuaFault) in call.returns(call.host.numberOfDueTimer)
    },
  ]
}
