import EntityModel
import PluginKit

/// `kong.request`. Source: Kong fact, pdk §1.
enum RequestNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("kong.request.get_scheme", .request, "Scheme of the client's connection.") {
      (call) throws(LuaFault) in call.returns(try call.context.scheme)
    },
    PDKFunction("kong.request.get_host", .request, "Host asked for, in lower case and without port.") {
      (call) throws(LuaFault) in call.returns(try call.context.host)
    },
    PDKFunction("kong.request.get_port", .connection, "Port of the listener.") {
      (call) throws(LuaFault) in call.returns(try call.context.localPort)
    },
    PDKFunction("kong.request.get_forwarded_scheme", .request, "Scheme, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.forwardedScheme)
    },
    PDKFunction("kong.request.get_forwarded_host", .request, "Host, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.forwardedHost)
    },
    PDKFunction("kong.request.get_forwarded_port", .request, "Port, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.forwardedPort)
    },
    PDKFunction("kong.request.get_forwarded_path", .request, "Path, of a trusted proxy as it says.") {
      (call) throws(LuaFault) in call.returns(try call.context.forwardedPath)
    },
    PDKFunction("kong.request.get_raw_forwarded_path", .request, "Path as received, or as a trusted proxy says.") {
      (call) throws(LuaFault) in call.returns(try call.context.rawForwardedPath)
    },
    PDKFunction("kong.request.get_forwarded_prefix", .request, "Prefix that routing removed.") {
      (call) throws(LuaFault) in call.returns(try call.context.forwardedPrefix)
    },
    PDKFunction("kong.request.get_http_version", .request, "1.0, 1.1 or 2.") {
      (call) throws(LuaFault) in call.returns(Double(try call.context.httpVersion) / 10)
    },
    PDKFunction("kong.request.get_method", .request, "Method in upper case.") {
      (call) throws(LuaFault) in call.returns(try call.context.method.name)
    },
    PDKFunction("kong.request.get_path", .request, "Normalized path without query.") {
      (call) throws(LuaFault) in call.returns(try call.context.normalizedPath)
    },
    PDKFunction("kong.request.get_raw_path", .request, "Path as received, without query.") {
      (call) throws(LuaFault) in try call.context.withRawPath { call.returns($0) }
    },
    PDKFunction("kong.request.get_path_with_query", .request, "Request target as received.") {
      (call) throws(LuaFault) in
      let context = try call.context
      context.requestHeaders.withArena(context.rawTargetRange) { call.returns($0) }
    },
    PDKFunction("kong.request.get_raw_query", .request, "Query without `?`.") {
      (call) throws(LuaFault) in try withQuery(call) { call.returns($0) }
    },
    PDKFunction("kong.request.get_query_arg", .request, arguments: "name", "First value of a query argument.") {
      (call) throws(LuaFault) in
      let name = [UInt8](try call.requireBytes(0, "query argument name must be a string"))
      let limit = call.host.settings.listLimits.queryArguments
      try withQuery(call) { query in
        var found = false
        var count = 0
        URLText.forEachArgument(query) { candidate, value in
          count += 1
          if candidate == name {
            found = true
            if let value { call.returns(value) } else { call.returns(true) }
          }
          return !found && count < limit
        }
        if !found { call.returnNil() }
      }
    },
    PDKFunction("kong.request.get_query", .request, arguments: "max_args", "Query arguments.") {
      (call) throws(LuaFault) in
      let limit = try HeaderArguments.limit(call, 0, "max_args", \.queryArguments)
      try withQuery(call) { if !URLText.returnArguments(call, $0, limit: limit) { call.returnNil() } }
    },
    PDKFunction("kong.request.get_header", .request, arguments: "name", "First value of a request header.") {
      (call) throws(LuaFault) in
      let name = try call.requireBytes(0, "header name must be a string")
      HeaderArguments.returnFirst(call, try call.context.requestHeaders, name)
    },
    PDKFunction("kong.request.get_headers", .request, arguments: "max_headers", "Request headers.") {
      (call) throws(LuaFault) in
      let limit = try HeaderArguments.limit(call, 0, "max_headers", \.requestHeaders)
      HeaderArguments.returnFields(call, try call.context.requestHeaders, limit: limit)
    },
    PDKFunction.controlling(
      "kong.request.get_raw_body", .requestBody, arguments: "max_allowed_file_size", "Body as it now is.",
      { (call) throws(LuaFault) in
        let limit = call.whole(0, in: 0...(1 << 50))
        let bufferSize = call.host.settings.bodyBufferSize
        return try RequestBodyReading.withBody(call) { call, body in
          if let refusal = RequestBodyReading.refusal(body, limit: limit, bufferSize: bufferSize) {
            call.returnsFailure(refusal)
          } else {
            call.returns(body)
          }
        }
      }),
    PDKFunction.controlling(
      "kong.request.get_body", .requestBody, arguments: "mimetype, max_args, max_allowed_file_size",
      "Body decoded: form, JSON or multipart.",
      { (call) throws(LuaFault) in
        let context = try call.context
        let limit = try HeaderArguments.limit(call, 1, "max_args", \.formArguments)
        let fileLimit = call.whole(2, in: 0...(1 << 50))
        let bufferSize = call.host.settings.bodyBufferSize
        guard let type = call.string(0) ?? context.requestHeaders.first("content-type") else {
          call.returnsFailure("missing content type")
          return .returned
        }
        return try RequestBodyReading.withBody(call) { call, body in
          if let refusal = RequestBodyReading.refusal(body, limit: fileLimit, bufferSize: bufferSize) {
            call.returnsFailure(refusal)
            call.returns(type)
          } else {
            RequestBodyReading.returnDecoded(call, body, contentType: type, limit: limit)
          }
        }
      }),
    PDKFunction("kong.request.get_start_time", .request, "Milliseconds since the epoch at which it began.") {
      (call) throws(LuaFault) in call.returns(Double(try call.context.startedAtMilliseconds))
    },
    PDKFunction("kong.request.get_uri_captures", .request, "Captures of the route's regex path.") {
      (call) throws(LuaFault) in
      let captures = try call.context.uriCaptures ?? URICaptures(unnamed: [], named: [:])
      let unnamed: [LuaItem] = captures.unnamed.enumerated().compactMap { index, text in
        text.map { LuaItem(key: .number(Double(index)), value: .string(Array($0.utf8))) }
      }
      call.beginTable(2)
      call.returns("unnamed")
      call.returns(LuaValue.table(unnamed, isArray: true))
      call.returns("named")
      call.beginTable(captures.named.count)
      for (name, text) in captures.named {
        call.returns(name)
        call.returns(text)
      }
    },
    PDKFunction("kong.request.get_id", .request, "Request id.") {
      (call) throws(LuaFault) in call.returns(try call.context.requestID)
    },
  ]

  /// The query as it now is.
  static func withQuery(_ call: LuaCall, _ body: (UnsafeRawBufferPointer) -> Void) throws(LuaFault) {
    let context = try call.context
    if let query = context.queryOverride { return query.withUnsafeBytes(body) }
    context.withRawQuery { body($0 ?? UnsafeRawBufferPointer(start: nil, count: 0)) }
  }
}
