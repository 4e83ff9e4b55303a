import EntityModel
import PluginKit

/// `kong.node`, `kong.ip`, `kong.plugin`, `kong.cluster`, `kong.nginx` and the node's own values.
/// Source: Kong fact, pdk §6.
enum NodeNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("kong.node.get_id", .any, "UUID of the node.") {
      (call) throws(LuaFault) in call.returns(call.host.node.id)
    },
    PDKFunction("kong.node.get_hostname", .any, "Name of the machine.") {
      (call) throws(LuaFault) in call.returns(call.host.node.hostname)
    },
    PDKFunction(
      "kong.node.get_memory_stats", .any, level: .lax, arguments: "unit, scale", "Memory of the loop's Lua state."
    ) { (call) throws(LuaFault) in
      let unit = call.string(0)?.lowercased() ?? "b"
      let used = Double(call.host.memoryUsed)
      let sizes: [String: Double] = ["b": 1.0, "k": 1024, "m": 1_048_576, "g": 1_073_741_824]
      guard let size = sizes[unit] else { throw LuaFault("invalid unit '\(unit)' (expected 'k/K', 'm/M', or 'g/G')") }
      call.beginTable(2)
      call.returns("lua_shared_dicts")
      call.beginTable(0)
      call.returns("workers_lua_vms")
      call.beginList(1)
      call.beginTable(2)
      call.returns("pid")
      call.returns(call.host.loopIndex)
      call.returns("http_allocated_gc")
      if unit == "b" {
        call.returns(used)
      } else {
        let hundredths = Int((used / size * 100).rounded())
        let fraction = hundredths % 100
        call.returns("\(hundredths / 100).\(fraction < 10 ? "0" : "")\(fraction) \(unit.uppercased())iB")
      }
    },
    PDKFunction("kong.ip.is_trusted", .any, arguments: "address", "Whether `trusted_ips` holds the address.") {
      (call) throws(LuaFault) in
      let address = try call.requireString(0, "address must be a string")
      let parsed = IPAddress(address)
      call.returns(parsed.map { address in call.host.node.trustedIPs.contains { $0.contains(address) } } ?? false)
    },
    PDKFunction("kong.plugin.get_id", .any, "Id of the running plugin instance.") {
      (call) throws(LuaFault) in call.returns(call.host.context?.currentPlugin?.id)
    },
    PDKFunction("kong.cluster.get_id", .any, "UUID of the cluster.") {
      (call) throws(LuaFault) in
      if let id = call.host.node.clusterID {
        call.returns(id)
      } else {
        call.returnsFailure("no cluster id")
      }
    },
    PDKFunction("kong.nginx.get_subsystem", .any, "`http`.") { (call) throws(LuaFault) in call.returns("http") },
    PDKFunction("node.version", .any, level: .internal, "Version, and as a number.") {
      (call) throws(LuaFault) in
      call.returns(call.host.node.version)
      call.returns(call.host.node.versionNumber)
    },
    PDKFunction("node.configuration", .any, level: .internal, "Redacted settings.") {
      (call) throws(LuaFault) in call.returns(.object(call.host.node.configuration))
    },
    PDKFunction("node.default_workspace", .any, level: .internal, "UUID of the default workspace.") {
      (call) throws(LuaFault) in call.returns("00000000-0000-0000-0000-000000000000")
    },
  ]
}
