import NIOCore
import PluginKit

/// `ngx.header`, `ngx.status`, `ngx.arg`, `ngx.resp` and what ends or writes a response. Source: Kong fact, pdk §7.
enum NginxResponseNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("ngx.resp.get_headers", .request, arguments: "max_headers", "Response headers.") {
      (call) throws(LuaFault) in
      HeaderArguments.returnFields(
        call, try call.context.response.headers, limit: NginxRequestNamespace.limit(call, 0, \.responseHeaders))
    },
    PDKFunction(
      "ngx.resp.add_header", .responseWriting, arguments: "name, value", wants: .tables, "Adds a response header."
    ) { (call) throws(LuaFault) in
      let name = try HeaderArguments.name(call)
      let context = try call.context
      try HeaderArguments.forEachValue(call, named: name) { context.response.headers.append(name: name, value: $0) }
    },
    PDKFunction("ngx.get_response_header", .any, level: .internal, "ngx.header[name]") { (call) throws(LuaFault) in
      guard let name = call.bytes(0) else { return call.returnNil() }
      let headers = try call.context.response.headers
      let dashed = name.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
      dashed.withUnsafeBytes { name in
        guard let first = headers.firstIndex(ofName: name) else { return call.returnNil() }
        var indexes = [first]
        while let next = headers.firstIndex(ofName: name, from: (indexes.last ?? first) + 1) { indexes.append(next) }
        if indexes.count > 1 { call.beginList(indexes.count) }
        for index in indexes { headers.withValue(at: index) { call.returns($0) } }
      }
    },
    PDKFunction("ngx.set_response_header", .request, level: .internal, wants: .tables, "ngx.header[name] = value") {
      (call) throws(LuaFault) in
      if try isTooLate(call, "ngx.header.\(call.text(0) ?? "?")") { return }
      guard let name = call.bytes(0), !name.isEmpty, name.count <= 0x7FFF else {
        throw LuaFault("invalid header name: string expected, got \(call.typeName(0))")
      }
      let dashed = name.map { $0 == UInt8(ascii: "_") ? UInt8(ascii: "-") : $0 }
      let values = try HeaderArguments.values(of: call.value(1), named: String(decoding: dashed, as: UTF8.self)) ?? []
      HeaderArguments.set(dashed, values, in: &(try call.context).response.headers)
    },
    PDKFunction("ngx.get_status", .any, level: .internal, "ngx.status") {
      (call) throws(LuaFault) in
      let context = try call.context
      call.returns(context.earlyResponse?.status ?? context.response.status)
    },
    PDKFunction("ngx.set_status", .any, level: .internal, "ngx.status = status") {
      (call) throws(LuaFault) in
      guard let number = call.text(0).flatMap({ Int($0) }), (100...999).contains(number) else {
        throw LuaFault("invalid status")
      }
      if try isTooLate(call, "ngx.status") { return }
      try call.context.response.status = number
    },
    PDKFunction("ngx.headers_sent", .any, level: .internal, "ngx.headers_sent") {
      (call) throws(LuaFault) in call.returns(try call.context.response.headersSent)
    },
    PDKFunction("ngx.get_argument", .bodyFilter, level: .internal, "ngx.arg[n]") {
      (call) throws(LuaFault) in
      let response = try call.context.response
      switch call.number(0) {
      case 1: if let chunk = response.chunk { call.returns(chunk) } else { call.returnNil() }
      case 2: call.returns(response.isLastChunk)
      default: call.returnNil()
      }
    },
    PDKFunction("ngx.set_argument", .bodyFilter, level: .internal, wants: .tables, "ngx.arg[n] = value") {
      (call) throws(LuaFault) in
      let context = try call.context
      switch call.number(0) {
      case 1:
        if call.isNil(1) {
          context.response.chunk = nil
        } else if let bytes = call.value(1).scalarBytes {
          context.response.chunk = ByteBuffer(bytes: bytes)
        } else if call.isTable(1) {
          context.response.chunk = ByteBuffer(bytes: call.value(1).list.compactMap(\.scalarBytes).joined())
        } else {
          throw LuaFault("bad chunk type: \(call.typeName(1))")
        }
      case 2: context.response.isLastChunk = call.isTruthy(1)
      default: throw LuaFault("invalid index: \(call.text(0) ?? "nil")")
      }
    },
    .controlling(
      "ngx.exit", .exiting, arguments: "status",
      "Ends the phase with a status; in certificate every one but `ngx.OK` ends the handshake.",
      { (call) throws(LuaFault) in
        guard let number = call.number(0), let code = Int(exactly: number) else {
          throw LuaFault("bad argument #1 to 'exit' (number expected, got \(call.typeName(0)))")
        }
        let context = try call.context
        if let handshake = context.handshake {
          if code != 0 { handshake.isRefused = true }
          return .exit
        }
        if context.earlyResponse != nil { return .exit }
        guard code >= 200 else { return code == 0 || code == -5 ? .exit : fail(call, context) }
        if NginxPages.errorStatuses.contains(code) {
          context.earlyResponse = ErrorResponder.response(status: code, for: context)
        } else if context.phase != .headerFilter, context.response.status == 0 || context.response.status == code,
          let page = NginxPages.page(code)
        {
          context.response.headers.set("Content-Type", "text/html")
          context.earlyResponse = EarlyResponse(status: code, body: ByteBuffer(string: page))
        } else {
          context.earlyResponse = EarlyResponse(status: code)
        }
        return ResponseNamespace.end(context, call.host)
      }),
    .controlling(
      "ngx.redirect", .answering, arguments: "uri, status", "Answers with a redirection.",
      { (call) throws(LuaFault) in
        guard let uri = call.bytes(0) else {
          throw LuaFault("bad argument #1 to 'redirect' (string expected, got \(call.typeName(0)))")
        }
        let code = call.number(1).flatMap { Int(exactly: $0) } ?? 302
        guard [301, 302, 303, 307, 308].contains(code), let page = NginxPages.page(code) else {
          throw LuaFault(
            "only ngx.HTTP_MOVED_TEMPORARILY, ngx.HTTP_MOVED_PERMANENTLY, ngx.HTTP_PERMANENT_REDIRECT, "
              + "ngx.HTTP_SEE_OTHER, and ngx.HTTP_TEMPORARY_REDIRECT are allowed")
        }
        let context = try call.context
        HeaderArguments.set(Array("Location".utf8), [[UInt8](uri)], in: &context.response.headers)
        context.response.headers.set("Content-Type", "text/html")
        context.response.keepsContentType = true
        context.earlyResponse = EarlyResponse(status: code, body: ByteBuffer(string: page))
        return .exit
      }),
    PDKFunction("ngx.print", .answering, arguments: "...", wants: .tables, "Writes to the response.") {
      (call) throws(LuaFault) in try write(call, line: false)
    },
    PDKFunction("ngx.say", .answering, arguments: "...", wants: .tables, "Writes a line to the response.") {
      (call) throws(LuaFault) in try write(call, line: true)
    },
    PDKFunction("ngx.flush", .answering, "Nothing: the response is written at the end of the phase.") {
      (call) throws(LuaFault) in call.returns(1)
    },
    PDKFunction("ngx.eof", .answering, "Nothing: the response ends with the phase.") {
      (call) throws(LuaFault) in call.returns(1)
    },
    PDKFunction("ngx.send_headers", .answering, "Nothing: the head is written at the end of the phase.") {
      (call) throws(LuaFault) in call.returns(1)
    },
  ]

  /// As nginx does: an assignment after the head has gone is logged and left out.
  private static func isTooLate(_ call: LuaCall, _ what: String) throws(LuaFault) -> Bool {
    guard try call.context.response.headersSent else { return false }
    call.host.settings.logSink.write(
      .err,
      line: "[lua] [\(call.host.pluginName ?? "core")] attempt to set \(what) after sending out response headers",
      requestID: call.host.loggedRequestID)
    return true
  }

  private static func fail(_ call: LuaCall, _ context: RequestContext) -> LuaOutcome {
    context.earlyResponse = ErrorResponder.response(status: 500, for: context)
    return ResponseNamespace.end(context, call.host)
  }

  private static func write(_ call: LuaCall, line: Bool) throws(LuaFault) {
    let context = try call.context
    var bytes: [UInt8] = []
    for index in 0..<call.argumentCount { try append(call.value(index), to: &bytes) }
    if line { bytes.append(UInt8(ascii: "\n")) }
    let status = context.response.status == 0 ? 200 : context.response.status
    var response = context.earlyResponse ?? EarlyResponse(status: status, body: ByteBuffer())
    var body = response.body ?? ByteBuffer()
    body.writeBytes(bytes)
    response.body = body
    context.earlyResponse = response
    call.returns(1)
  }

  private static func append(_ value: LuaValue, to bytes: inout [UInt8]) throws(LuaFault) {
    switch value {
    case .nil: bytes += Array("nil".utf8)
    case .null: bytes += Array("null".utf8)
    case .table: for item in value.list { try append(item, to: &bytes) }
    case .other(let name):
      throw LuaFault("bad argument (string, number, boolean, nil, or array table expected, got \(name))")
    default: bytes += value.scalarBytes ?? []
    }
  }
}
