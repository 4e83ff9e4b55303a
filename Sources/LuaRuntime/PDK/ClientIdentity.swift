import EntityModel
import NIOCore
import PluginKit

/// Who the client is, as plugins that authenticate say: groups of consumers, tokens, headers for the upstream.
/// Source: Kong fact, pdk §3 and §4.
enum ClientIdentityNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction(
      "kong.client.set_authenticated_consumer_groups", .afterRewrite, arguments: "groups, options", wants: .tables,
      "Sets the groups of the consumer; with the mode `append` adds them."
    ) { (call) throws(LuaFault) in
      guard call.isTable(0) else { throw LuaFault("groups must be a table") }
      guard call.isNil(1) || call.isTable(1) else { throw LuaFault("options must be a table") }
      var groups: [JSONValue] = []
      for value in call.value(0).list { groups.append(try group(value)) }
      let context = try call.context
      if call.isTable(1), call.value(1)["mode"].text == "append" {
        context.consumerGroups += groups.filter { group in !context.consumerGroups.contains { $0["id"] == group["id"] }
        }
      } else {
        context.consumerGroups = groups
      }
    },
    PDKFunction(
      "kong.client.set_authenticated_consumer_group", .afterRewrite, arguments: "group", wants: .tables,
      "Sets the one group of the consumer."
    ) { (call) throws(LuaFault) in
      try call.context.consumerGroups = call.isNil(0) ? [] : [group(call.value(0))]
    },
    PDKFunction(
      "kong.client.authenticate_consumer_group_by_consumer_id", .access, arguments: "consumer_id",
      "Sets the groups that a consumer is a member of."
    ) { (call) throws(LuaFault) in
      let id = try call.requireString(0, "consumer_id must be a string")
      let context = try call.context
      context.consumerGroups = context.findConsumerGroups?(id) ?? []
    },
    PDKFunction(
      "kong.client.set_token", .afterRewrite, arguments: "token", "Keeps the client's token for other plugins."
    ) { (call) throws(LuaFault) in
      guard call.isNil(0) || call.bytes(0) != nil else { throw LuaFault("token must be a string") }
      let state = call.host.requestState(of: try call.context)
      state.token = call.string(0).flatMap { $0.isEmpty ? nil : $0 }
    },
    PDKFunction("kong.client.get_token", .afterRewrite, "The token that a plugin has kept.") {
      (call) throws(LuaFault) in call.returns(call.host.requestState(of: try call.context).token)
    },
    PDKFunction("kong.client.get_jwt_token_header", .afterRewrite, "The header of the kept token, decoded.") {
      (call) throws(LuaFault) in try decode(0, call)
    },
    PDKFunction("kong.client.get_jwt_token_payload", .afterRewrite, "The claims of the kept token, decoded.") {
      (call) throws(LuaFault) in try decode(1, call)
    },
    PDKFunction(
      "kong.client.get_aws_vpce_id", .connection, level: .lax, "Nil: the PROXY protocol of AWS is not spoken."
    ) { (call) throws(LuaFault) in call.returnNil() },
    PDKFunction(
      "kong.service.request.set_authentication_headers", .rewriteAccess,
      arguments: "consumer, credential_id, groups, options", wants: .tables,
      "Tells the upstream who the client is, or that it is nobody known."
    ) { (call) throws(LuaFault) in
      for (index, name) in [(0, "consumer"), (2, "groups"), (3, "options")] {
        guard call.isNil(index) || call.isTable(index) else { throw LuaFault("\(name) must be a table or nil") }
      }
      guard call.isNil(1) || call.bytes(1) != nil else { throw LuaFault("credential_id must be a string or nil") }
      let context = try call.context
      let options = call.value(3)
      let clears = options["mode"].text != "append"
      func set(_ name: String, _ value: String?) {
        if let value { context.requestHeaders.set(name, value) } else if clears { context.requestHeaders.remove(name) }
      }
      let consumer = call.value(0)
      set("X-Consumer-ID", consumer["id"].text)
      set("X-Consumer-Custom-ID", consumer["custom_id"].text)
      set("X-Consumer-Username", consumer["username"].text)
      set("X-Credential-Identifier", call.string(1))
      let names = call.value(2).list.compactMap { $0.text ?? $0["name"].text }
      set("X-Consumer-Groups", names.isEmpty ? nil : names.joined(separator: ", "))
      if case .boolean(true) = options["anonymous"] {
        set("X-Anonymous-Consumer", "true")
      } else {
        set("X-Anonymous-Consumer", nil)
      }
    },
    PDKFunction("kong.service.request.enable_tls", .balancerOnly, level: .lax, "Has the upstream reached by TLS.") {
      (call) throws(LuaFault) in try call.context.upstream.scheme = "https"
    },
    PDKFunction("kong.service.request.disable_tls", .balancerOnly, level: .lax, "Has the upstream reached in plain.") {
      (call) throws(LuaFault) in try call.context.upstream.scheme = "http"
    },
    PDKFunction("kong.request.get_raw_headers", .request, level: .lax, "Headers with `-` and `_` kept apart.") {
      (call) throws(LuaFault) in
      let context = try call.context
      if context.httpVersion >= 20 { return call.returnsFailure("raw headers are not available with HTTP/2") }
      HeaderArguments.returnFields(call, context.requestHeaders, limit: 1000)
    },
    PDKFunction(
      "kong.service.response.set_body", .response, level: .lax, arguments: "body", "Replaces the upstream's body."
    ) { (call) throws(LuaFault) in
      replaceBody(try call.requireBytes(0, "body must be a string"), in: try call.context)
    },
    PDKFunction("kong.nginx.get_statistics", .any, level: .lax, "Connections and requests of this event loop.") {
      (call) throws(LuaFault) in
      let statistics = call.host.context?.loop.connectionStatistics?() ?? [:]
      call.beginTable(statistics.count)
      for (name, count) in statistics {
        call.returns(name)
        call.returns(count)
      }
    },
  ]

  /// In the response phase, where the whole body is there.
  static func replaceBody(_ bytes: UnsafeRawBufferPointer, in context: RequestContext) {
    context.response.bufferedBody = ByteBuffer(bytes: bytes)
    context.response.headers.remove("Content-Encoding")
    context.response.headers.set("Content-Length", String(bytes.count))
  }

  private static func group(_ value: LuaValue) throws(LuaFault) -> JSONValue {
    guard case .table = value, let group = value.json, group["id"]?.string != nil || group["name"]?.string != nil else {
      throw LuaFault("a consumer group must be a table with id or name")
    }
    return group
  }

  private static func decode(_ part: Int, _ call: LuaCall) throws(LuaFault) {
    guard let token = call.host.requestState(of: try call.context).token else {
      return call.returnsFailure("no token is set")
    }
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3,
      let bytes = Array(parts[part].utf8).withUnsafeBytes({ TextTools.base64Decoded($0) }),
      let json = try? JSONValue(parsing: String(decoding: bytes, as: UTF8.self)), json.object != nil
    else { return call.returnsFailure("the token is no JSON web token") }
    call.returns(json)
  }
}

extension PreludeFunction {
  /// Functions that were always made by the prelude, among those of `make_kong` and `ngx.re`.
  static let general: [PreludeFunction] = [
    PreludeFunction("kong.table.new", arguments: "narr, nrec", "An empty table with room."),
    PreludeFunction("kong.table.clear", arguments: "table", "Empties a table."),
    PreludeFunction(
      "kong.table.merge", arguments: "first, second", "A new table with the items of both; the second wins."),
    PreludeFunction("kong.log.inspect", arguments: "...", "Logs values drawn in a box, at the level notice."),
    PreludeFunction(
      "kong.log.deprecation", arguments: "..., options", "Logs that something is out of date, at the level warn."),
    PreludeFunction(
      "ngx.re.match", arguments: "subject, regex, options, ctx, res", "The first match of a Perl-compatible expression."
    ),
    PreludeFunction(
      "ngx.re.find", arguments: "subject, regex, options, ctx, nth", "Where the first match begins and ends."),
    PreludeFunction("ngx.re.gmatch", arguments: "subject, regex, options", "An iterator over the matches."),
    PreludeFunction("ngx.re.sub", arguments: "subject, regex, replacement, options", "Replaces the first match."),
    PreludeFunction("ngx.re.gsub", arguments: "subject, regex, replacement, options", "Replaces every match."),
    PreludeFunction(
      "ngx.timer.at", level: .on, arguments: "delay, callback, ...", "Runs a function later, outside of the request."),
    PreludeFunction(
      "ngx.timer.every", level: .on, arguments: "delay, callback, ...", "Runs a function again and again."),
    PreludeFunction("ngx.timer.pending_count", level: .on, "How many timers wait."),
    PreludeFunction("ngx.timer.running_count", level: .on, "How many timers run."),
  ]
}
