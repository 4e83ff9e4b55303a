import EntityModel
import PluginKit

/// `kong.client`. Source: Kong fact, pdk §4.
enum ClientNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("kong.client.get_ip", .connection, "Address of the connection's peer.") {
      (call) throws(LuaFault) in call.returns(try call.context.peerIP)
    },
    PDKFunction("kong.client.get_port", .connection, "Port of the connection's peer.") {
      (call) throws(LuaFault) in call.returns(try call.context.peerPort)
    },
    PDKFunction("kong.client.get_forwarded_ip", .connection, "Address of the client, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.clientIP)
    },
    PDKFunction("kong.client.get_forwarded_port", .connection, "Port of the client, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.clientPort)
    },
    PDKFunction("kong.client.get_credential", .afterRewrite, "Authenticated credential.") {
      (call) throws(LuaFault) in
      if let credential = try call.context.credential { call.returns(credential) } else { call.returnNil() }
    },
    PDKFunction("kong.client.get_consumer", .afterRewrite, "Authenticated consumer.") {
      (call) throws(LuaFault) in
      if let consumer = try call.context.consumer { call.returns(consumer.entity) } else { call.returnNil() }
    },
    PDKFunction(
      "kong.client.load_consumer", .afterRewrite, arguments: "id, by_username", "Finds a consumer."
    ) { (call) throws(LuaFault) in
      let key = try call.requireString(0, "consumer_id must be a string")
      let byUsername = call.isTruthy(1)
      if !byUsername, !TextTools.isUUID(key) {
        throw LuaFault("cannot load a consumer with an id that is not a uuid")
      }
      if let consumer = try call.context.findConsumer?(key, byUsername) {
        call.returns(consumer.entity)
      } else {
        call.returnNil()
      }
    },
    PDKFunction(
      "kong.client.authenticate", .access, arguments: "consumer, credential", wants: .tables,
      "Sets consumer and credential."
    ) { (call) throws(LuaFault) in
      for (index, name) in ["consumer", "credential"].enumerated() where !call.isNil(index) && !call.isTable(index) {
        throw LuaFault("\(name) must be a table or nil")
      }
      if call.isNil(0), call.isNil(1) { throw LuaFault("either credential or consumer must be provided") }
      let context = try call.context
      context.consumer = call.isNil(0) ? nil : ConsumerInfo(entity: object(call.value(0)))
      if let consumer = context.consumer { context.consumerGroups = context.findConsumerGroups?(consumer.id) ?? [] }
      context.credential = call.isNil(1) ? nil : object(call.value(1))
    },
    PDKFunction("kong.client.get_consumer_groups", .afterRewrite, "Groups of the consumer.") {
      (call) throws(LuaFault) in
      let groups = try call.context.consumerGroups
      if groups.isEmpty { call.returnNil() } else { call.returns(.array(groups)) }
    },
    PDKFunction("kong.client.get_consumer_group", .afterRewrite, "First group of the consumer.") {
      (call) throws(LuaFault) in
      if let group = try call.context.consumerGroups.first { call.returns(group) } else { call.returnNil() }
    },
    PDKFunction(
      "kong.client.get_protocol", .afterRewrite, arguments: "allow_terminated", "Protocol of the client's request."
    ) { (call) throws(LuaFault) in
      let context = try call.context
      guard let route = context.route else { return call.returnsFailure("No active route found") }
      if route.protocols.count == 1 { return call.returns(route.protocols[0]) }
      call.returns(call.isTruthy(0) ? context.forwardedScheme : context.scheme)
    },
    PDKFunction("kong.router.get_route", .afterRewrite, "Matched route.") {
      (call) throws(LuaFault) in
      if let route = try call.context.route { call.returns(route.entity) } else { call.returnNil() }
    },
    PDKFunction("kong.router.get_service", .afterRewrite, "Service of the matched route.") {
      (call) throws(LuaFault) in
      if let service = try call.context.service { call.returns(service.entity) } else { call.returnNil() }
    },
  ]

  /// An entity from a table; an empty table is an object.
  private static func object(_ table: LuaValue) -> JSONValue {
    guard let json = table.json, json.object != nil else { return .object([:]) }
    return json
  }
}
