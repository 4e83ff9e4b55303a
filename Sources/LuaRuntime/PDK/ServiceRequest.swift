import NIOCore
import PluginKit

/// `kong.service.request`: the request as the upstream gets it. Source: Kong fact, pdk §3.
enum ServiceRequestNamespace {
  private static let methods: Set<String> = [
    "GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "MKCOL", "COPY", "MOVE", "PROPFIND", "PROPPATCH", "LOCK",
    "UNLOCK", "PATCH", "TRACE",
  ]

  static let functions: [PDKFunction] = [
    PDKFunction("kong.service.request.enable_buffering", .beforeUpstream, "Has the whole response read first.") {
      (call) throws(LuaFault) in
      let context = try call.context
      if context.httpVersion >= 20 {
        throw LuaFault("buffered proxying cannot currently be enabled with http/2, please use http/1.x instead")
      }
      context.buffersResponse = true
    },
    PDKFunction("kong.service.request.set_scheme", .beforeUpstream, arguments: "scheme", "Sets the scheme.") {
      (call) throws(LuaFault) in
      let scheme = try call.requireString(0, "scheme must be a string")
      guard scheme == "http" || scheme == "https" else { throw LuaFault("invalid scheme: \(scheme)") }
      try call.context.upstream.scheme = scheme
    },
    PDKFunction("kong.service.request.set_path", .beforeUpstream, arguments: "path", "Sets the path.") {
      (call) throws(LuaFault) in
      let path = try call.requireBytes(0, "path must be a string")
      guard path.first == UInt8(ascii: "/") else { throw LuaFault("path must start with /") }
      try call.context.upstream.path = URLText.escapedPath(path)
    },
    PDKFunction("kong.service.request.set_raw_query", .rewriteAccess, arguments: "query", "Sets the query.") {
      (call) throws(LuaFault) in
      let query = try call.requireBytes(0, "query must be a string")
      try call.context.queryOverride = URLText.escapedQuery(query)
    },
    PDKFunction(
      "kong.service.request.set_query", .rewriteAccess, arguments: "args", wants: .tables,
      "Sets the query from a table, sorted by name."
    ) { (call) throws(LuaFault) in
      guard call.isTable(0) else { throw LuaFault("args must be a table") }
      try call.context.queryOverride = URLText.encoded(call.value(0), sorted: true)
    },
    PDKFunction(
      "kong.service.request.clear_query_arg", .rewriteAccess, arguments: "name", "Removes a query argument."
    ) { (call) throws(LuaFault) in
      let name = [UInt8](try call.requireBytes(0, "query argument name must be a string"))
      let context = try call.context
      try RequestNamespace.withQuery(call) { query in
        var kept: [[UInt8]] = []
        var isFound = false
        for part in query.split(separator: UInt8(ascii: "&")) {
          let end = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
          if URLText.unescaped(part[..<end]) == name {
            isFound = true
          } else {
            kept.append(part.flatMap { $0 == UInt8(ascii: "+") ? Array("%20".utf8) : [$0] })
          }
        }
        if isFound { context.queryOverride = Array(kept.joined(separator: [UInt8(ascii: "&")])) }
      }
    },
    PDKFunction("kong.service.request.set_method", .rewriteAccess, arguments: "method", "Sets the method.") {
      (call) throws(LuaFault) in
      let method = try call.requireString(0, "method must be a string")
      guard methods.contains(method) else { throw LuaFault("invalid method: \(method)") }
      try call.context.method = HTTPMethod(method)
    },
    PDKFunction(
      "kong.service.request.set_header", .beforeUpstream, arguments: "name, value", wants: .tables,
      "Sets a request header."
    ) { (call) throws(LuaFault) in
      let name = try HeaderArguments.name(call)
      let context = try call.context
      if isAuthority(name) { return try setAuthority(call, name, in: context) }
      var isFirst = true
      try HeaderArguments.forEachValue(call, named: name) { value in
        if isFirst {
          set(name, value, in: context)
        } else {
          context.requestHeaders.append(name: name, value: value)
        }
        isFirst = false
      }
      if isFirst { context.requestHeaders.remove(name: name) }
    },
    PDKFunction(
      "kong.service.request.add_header", .rewriteAccess, arguments: "name, value", wants: .tables,
      "Adds a request header."
    ) { (call) throws(LuaFault) in
      let name = try HeaderArguments.name(call)
      let context = try call.context
      try HeaderArguments.forEachValue(call, named: name) { value in
        if isHost(name) { return set(name, value, in: context) }
        context.requestHeaders.append(name: name, value: value)
      }
    },
    PDKFunction("kong.service.request.clear_header", .rewriteAccess, arguments: "name", "Removes a request header.") {
      (call) throws(LuaFault) in
      let name = try call.requireBytes(0, "header name must be a string")
      try call.context.requestHeaders.remove(name: name)
    },
    PDKFunction(
      "kong.service.request.set_headers", .rewriteAccess, arguments: "headers", wants: .tables, "Sets several headers."
    ) { (call) throws(LuaFault) in
      guard call.isTable(0) else { throw LuaFault("headers must be a table") }
      let context = try call.context
      for field in try HeaderArguments.fields(of: call.value(0)) { set(field, in: context) }
    },
    PDKFunction("kong.service.request.set_raw_body", .beforeUpstream, arguments: "body", "Replaces the body.") {
      (call) throws(LuaFault) in
      setBody(try call.requireBytes(0, "body must be a string"), in: try call.context)
    },
    PDKFunction(
      "kong.service.request.set_body", .rewriteAccess, arguments: "args, mimetype", wants: .tables,
      "Replaces the body by an encoded table."
    ) { (call) throws(LuaFault) in
      let context = try call.context
      let mime = call.string(1) ?? ""
      var type = mime
      if let json = call.bytes(0) {
        setBody(json, in: context)
      } else if mime.lowercased().contains("application/x-www-form-urlencoded") {
        try URLText.encoded(call.value(0), sorted: true).withUnsafeBytes { setBody($0, in: context) }
      } else if mime.lowercased().contains("multipart/form-data") {
        let boundary = MultipartForm.boundary(of: mime) ?? Array(TextTools.randomHexadecimal(16).utf8)
        let body = try multipart(call.value(0), boundary: boundary)
        body.withUnsafeBytes { setBody($0, in: context) }
        if MultipartForm.boundary(of: mime) == nil { type += "; boundary=\(String(decoding: boundary, as: UTF8.self))" }
      } else {
        throw LuaFault("unsupported content type \(mime)")
      }
      context.requestHeaders.set("Content-Type", type)
      call.returns(true)
    },
    PDKFunction("request.body_mime", .rewriteAccess, level: .internal, "Media type for set_body.") {
      (call) throws(LuaFault) in
      let context = try call.context
      if let mime = call.string(0) ?? context.requestHeaders.first("content-type") {
        call.returns(mime)
      } else {
        call.returnsFailure("content type was neither explicitly given as an argument or received as a header")
      }
    },
  ]

  private static func isAuthority(_ name: UnsafeRawBufferPointer) -> Bool {
    name.count == 10 && name.map(HeaderArguments.lowered).elementsEqual(":authority".utf8)
  }

  /// The pseudo-header of HTTP/2, which only gRPC services have.
  private static func setAuthority(
    _ call: LuaCall, _ name: UnsafeRawBufferPointer, in context: RequestContext
  ) throws(LuaFault) {
    guard context.upstream.scheme == "grpc" || context.upstream.scheme == "grpcs" else {
      return call.returnsFailure("cannot set :authority pseudo-header on non-grpc requests")
    }
    try HeaderArguments.forEachValue(call, named: name) { value in
      context.upstream.hostHeader = String(decoding: value, as: UTF8.self)
    }
    call.returns(true)
  }

  static func isHost(_ name: UnsafeRawBufferPointer) -> Bool {
    KnownField(name) == .host
  }

  static func set(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, in context: RequestContext) {
    if isHost(name) {
      if context.phase != .rewrite, context.hostBeforeChange == nil { context.hostBeforeChange = context.host }
      context.upstream.hostHeader = String(decoding: value, as: UTF8.self)
    }
    context.requestHeaders.set(name: name, value: value)
  }

  static func set(_ field: (name: [UInt8], values: [[UInt8]]), in context: RequestContext) {
    if field.name.withUnsafeBytes(isHost), let value = field.values.last {
      field.name.withUnsafeBytes { name in value.withUnsafeBytes { set(name, $0, in: context) } }
    } else {
      HeaderArguments.set(field.name, field.values, in: &context.requestHeaders)
    }
  }

  /// Replaces the body for the upstream and for later plugins.
  static func setBody(_ bytes: UnsafeRawBufferPointer, in context: RequestContext) {
    context.requestBody = .replaced(ByteBuffer(bytes: bytes))
    context.requestHeaders.remove("Transfer-Encoding")
    context.requestHeaders.set("Content-Length", String(bytes.count))
  }

  private static func multipart(_ table: LuaValue, boundary: [UInt8]) throws(LuaFault) -> [UInt8] {
    guard case .table(let items, _) = table else { return [] }
    var fields: [(name: [UInt8], value: [UInt8])] = []
    for item in items {
      guard case .string(let name) = item.key else {
        let shown = item.key.scalarBytes.map { String(decoding: $0, as: UTF8.self) } ?? item.key.typeName
        throw LuaFault("invalid key \"\(shown)\": got \(item.key.typeName), expected string")
      }
      guard let value = item.value.scalarBytes else {
        throw LuaFault(
          "invalid value \"\(String(decoding: name, as: UTF8.self))\": got \(item.value.typeName), "
            + "expected string, number or boolean")
      }
      fields.append((name, value))
    }
    fields.sort { $0.name.lexicographicallyPrecedes($1.name) }
    var body: [UInt8] = []
    for field in fields {
      body += Array("--".utf8) + boundary + Array("\r\nContent-Disposition: form-data; name=\"".utf8)
      body += field.name + Array("\"\r\n\r\n".utf8) + field.value + Array("\r\n".utf8)
    }
    return body + Array("--".utf8) + boundary + Array("--\r\n".utf8)
  }
}
