import PluginKit

/// `kong.service`. Source: Kong fact, pdk §3.
enum ServiceNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("kong.service.set_upstream", .access, level: .lax, arguments: "host", "Proxies to an Upstream.") {
      (call) throws(LuaFault) in
      let name = try call.requireString(0, "host must be a string")
      let context = try call.context
      if let upstreamExists = context.upstreamExists, !upstreamExists(name) {
        return call.returnsFailure("could not find an Upstream named '\(name)'")
      }
      context.upstream.host = name
      call.returns(true)
    },
    PDKFunction(
      "kong.service.set_target", .serviceTarget, level: .lax, arguments: "host, port", "Proxies to one address."
    ) { (call) throws(LuaFault) in
      let host = try call.requireString(0, "host must be a string")
      let port = try integer(call, 1, "port", 0...65535)
      let context = try call.context
      context.upstream.host = host
      context.upstream.port = port
      context.upstream.hostHeader = host
    },
    PDKFunction("kong.service.set_retries", .access, level: .lax, arguments: "retries", "Sets how often to retry.") {
      (call) throws(LuaFault) in try call.context.upstream.retries = integer(call, 0, "retries", 0...32767)
    },
    PDKFunction(
      "kong.service.set_timeouts", .access, level: .lax, arguments: "connect, write, read", "Sets timeouts in ms."
    ) { (call) throws(LuaFault) in
      let range = 1...2_147_483_646
      let connect = try integer(call, 0, "connect_timeout", range)
      let write = try integer(call, 1, "write_timeout", range)
      let read = try integer(call, 2, "read_timeout", range)
      let context = try call.context
      context.upstream.connectTimeoutMilliseconds = Int64(connect)
      context.upstream.sendTimeoutMilliseconds = Int64(write)
      context.upstream.readTimeoutMilliseconds = Int64(read)
    },
  ]

  static func integer(
    _ call: LuaCall, _ index: Int, _ name: String, _ range: ClosedRange<Int>
  ) throws(LuaFault) -> Int {
    guard let number = call.number(index), number.rounded() == number else {
      throw LuaFault("\(name) must be an integer")
    }
    guard let value = Int(exactly: number), range.contains(value) else {
      throw LuaFault(
        "\(name) must be an integer between \(range.lowerBound) and \(range.upperBound): given \(luaText(of: number))")
    }
    return value
  }
}
