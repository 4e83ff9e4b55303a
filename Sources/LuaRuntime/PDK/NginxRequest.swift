import NIOCore
import PluginKit

/// `ngx.req`. Source: Kong fact, pdk §7.
enum NginxRequestNamespace {
  private static let methods: [(number: Int, name: String)] = [
    (2, "GET"), (4, "HEAD"), (8, "POST"), (16, "PUT"), (32, "DELETE"), (64, "MKCOL"), (128, "COPY"), (256, "MOVE"),
    (512, "OPTIONS"), (1024, "PROPFIND"), (2048, "PROPPATCH"), (4096, "LOCK"), (8192, "UNLOCK"), (16384, "PATCH"),
    (32768, "TRACE"),
  ]

  static let functions: [PDKFunction] = [
    PDKFunction("ngx.req.get_headers", .request, arguments: "max_headers, raw", "Request headers.") {
      (call) throws(LuaFault) in
      HeaderArguments.returnFields(call, try call.context.requestHeaders, limit: limit(call, 0, \.requestHeaders))
    },
    PDKFunction("ngx.req.get_method", .request, "Method.") {
      (call) throws(LuaFault) in call.returns(try call.context.method.name)
    },
    PDKFunction("ngx.req.set_method", .beforeUpstream, arguments: "method", "Sets the method by its constant.") {
      (call) throws(LuaFault) in
      guard let number = call.number(0), let method = methods.first(where: { Double($0.number) == number }) else {
        throw LuaFault("bad argument #1 to 'set_method' (unsupported HTTP method)")
      }
      try call.context.method = HTTPMethod(method.name)
    },
    PDKFunction("ngx.req.http_version", .request, "HTTP version.") {
      (call) throws(LuaFault) in call.returns(Double(try call.context.httpVersion) / 10)
    },
    PDKFunction("ngx.req.start_time", .request, "Seconds since the epoch at which the request began.") {
      (call) throws(LuaFault) in call.returns(Double(try call.context.startedAtMilliseconds) / 1000)
    },
    PDKFunction("ngx.req.is_internal", .request, "Always false.") { (call) throws(LuaFault) in call.returns(false) },
    PDKFunction("ngx.req.get_uri_args", .request, arguments: "max_args", "Query arguments.") {
      (call) throws(LuaFault) in
      let limit = limit(call, 0, \.queryArguments)
      try RequestNamespace.withQuery(call) { if !URLText.returnArguments(call, $0, limit: limit) { call.returnNil() } }
    },
    PDKFunction(
      "ngx.req.set_uri_args", .beforeUpstream, arguments: "args", wants: .tables, "Sets the query."
    ) { (call) throws(LuaFault) in
      let context = try call.context
      if let text = call.text(0) {
        context.queryOverride = URLText.escapedQuery(text.utf8)
      } else if call.isTable(0) {
        context.queryOverride = try URLText.encoded(call.value(0), sorted: false)
      } else {
        throw LuaFault(
          "bad argument #1 to 'set_uri_args' (string, number, or table expected, but got \(call.typeName(0)))")
      }
    },
    PDKFunction("ngx.req.set_uri", .beforeUpstream, arguments: "uri", "Changes nothing upstream, as in Kong.") {
      (call) throws(LuaFault) in
      guard let uri = call.bytes(0) else {
        throw LuaFault("bad argument #1 to 'set_uri' (string expected, got \(call.typeName(0)))")
      }
      if uri.isEmpty { throw LuaFault("attempt to use zero-length uri") }
    },
    PDKFunction(
      "ngx.req.set_header", .beforeUpstream, arguments: "name, value", wants: .tables, "Sets a request header."
    ) { (call) throws(LuaFault) in
      guard let name = call.text(0), !name.isEmpty, name.utf8.count <= 0x7FFF else {
        throw LuaFault("bad argument #1 to 'set_header' (string expected, got \(call.typeName(0)))")
      }
      let context = try call.context
      let values = try HeaderArguments.values(of: call.value(1), named: name) ?? []
      ServiceRequestNamespace.set((Array(name.utf8), values), in: context)
    },
    PDKFunction("ngx.req.clear_header", .beforeUpstream, arguments: "name", "Removes a request header.") {
      (call) throws(LuaFault) in
      guard let name = call.bytes(0) else {
        throw LuaFault("bad argument #1 to 'clear_header' (string expected, got \(call.typeName(0)))")
      }
      try call.context.requestHeaders.remove(name: name)
    },
    PDKFunction("ngx.req.raw_header", .request, "Request line and headers as text.") {
      (call) throws(LuaFault) in
      let context = try call.context
      var text = Array("\(context.method.name) ".utf8)
      context.requestHeaders.withArena(context.rawTargetRange) { text += $0 }
      text += Array(" HTTP/\(context.httpVersion / 10).\(context.httpVersion % 10)\r\n".utf8)
      context.requestHeaders.forEach { name, value in
        text += Array(name) + Array(": ".utf8) + Array(value) + Array("\r\n".utf8)
      }
      call.returns(text + Array("\r\n".utf8))
    },
    .controlling(
      "ngx.req.read_body", .requestBody, "Waits for the body.",
      { (call) throws(LuaFault) in try RequestBodyReading.withBody(call) { _, _ in } }),
    .controlling(
      "ngx.req.get_body_data", .requestBody, "Body that was read, nil if empty or too large.",
      { (call) throws(LuaFault) in
        let bufferSize = call.host.settings.bodyBufferSize
        return try RequestBodyReading.withBody(call) { call, body in
          if body.readableBytes == 0 || body.readableBytes > bufferSize { call.returnNil() } else { call.returns(body) }
        }
      }),
    .controlling(
      "ngx.req.get_post_args", .requestBody, arguments: "max_args", "Arguments of a form body.",
      { (call) throws(LuaFault) in
        let limit = limit(call, 0, \.formArguments)
        return try RequestBodyReading.withBody(call) { call, body in
          if !URLText.returnArguments(call, body.readableBytesView, limit: limit) { call.returnNil() }
        }
      }),
    PDKFunction("ngx.req.set_body_data", .beforeUpstream, arguments: "data", "Replaces the body.") {
      (call) throws(LuaFault) in
      guard let body = call.bytes(0) else {
        throw LuaFault("bad argument #1 to 'set_body_data' (string expected, got \(call.typeName(0)))")
      }
      ServiceRequestNamespace.setBody(body, in: try call.context)
    },
    // Kong compatibility: bodies are never written to files.
    PDKFunction("ngx.req.get_body_file", .requestBody, level: .lax, "Always nil: bodies are not kept in files.") {
      (call) throws(LuaFault) in call.returnNil()
    },
    PDKFunction("ngx.req.discard_body", .requestBody, "Forgets the body.") {
      (call) throws(LuaFault) in
      ServiceRequestNamespace.setBody(UnsafeRawBufferPointer(start: nil, count: 0), in: try call.context)
    },
  ]

  /// Limit of a list: what the settings say without an argument, none for 0 or less.
  static func limit(_ call: LuaCall, _ index: Int, _ usual: KeyPath<LuaListLimits, Int>) -> Int {
    call.whole(index, in: 0...1_000_000) ?? call.host.settings.listLimits[keyPath: usual]
  }
}
