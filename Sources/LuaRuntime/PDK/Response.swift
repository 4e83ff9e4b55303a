import NIOCore
import PluginKit

/// `kong.response`. Source: Kong fact, pdk §2.
enum ResponseNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("kong.response.get_status", .responseReading, "Status that goes to the client.") {
      (call) throws(LuaFault) in call.returns(try call.context.response.status)
    },
    PDKFunction("kong.response.get_header", .responseReading, arguments: "name", "First value of a response header.") {
      (call) throws(LuaFault) in
      let name = try call.requireBytes(0, "header name must be a string")
      HeaderArguments.returnFirst(call, try call.context.response.headers, name)
    },
    PDKFunction("kong.response.get_headers", .responseReading, arguments: "max_headers", "Response headers.") {
      (call) throws(LuaFault) in
      let limit = try HeaderArguments.limit(call, 0, "max_headers", \.responseHeaders)
      HeaderArguments.returnFields(call, try call.context.response.headers, limit: limit)
    },
    PDKFunction("kong.response.get_source", .responseReading, "`service`, `exit` or `error`.") {
      (call) throws(LuaFault) in
      switch try call.context.response.source {
      case .service: call.returns("service")
      case .exit: call.returns("exit")
      case .error, .none: call.returns("error")
      }
    },
    PDKFunction("kong.response.set_status", .responseWriting, arguments: "status", "Sets the status.") {
      (call) throws(LuaFault) in
      try call.checkHeadersNotSent()
      try call.context.response.status = status(call, 100...599)
    },
    PDKFunction(
      "kong.response.set_header", .responseWriting, arguments: "name, value", wants: .tables,
      "Sets a response header."
    ) { (call) throws(LuaFault) in
      try call.checkHeadersNotSent()
      let name = try HeaderArguments.name(call)
      let context = try call.context
      if isTransferEncoding(name) { return call.host.logTransferEncodingIgnored() }
      var isFirst = true
      try HeaderArguments.forEachValue(call, named: name) { value in
        if isFirst {
          context.response.headers.set(name: name, value: value)
        } else {
          context.response.headers.append(name: name, value: value)
        }
        isFirst = false
      }
      if isFirst { context.response.headers.remove(name: name) }
    },
    PDKFunction(
      "kong.response.add_header", .responseWriting, arguments: "name, value", wants: .tables,
      "Adds a response header."
    ) { (call) throws(LuaFault) in
      try call.checkHeadersNotSent()
      let name = try HeaderArguments.name(call)
      let context = try call.context
      if isTransferEncoding(name) { return call.host.logTransferEncodingIgnored() }
      try HeaderArguments.forEachValue(call, named: name) { value in
        context.response.headers.append(name: name, value: value)
      }
    },
    PDKFunction("kong.response.clear_header", .responseWriting, arguments: "name", "Removes a response header.") {
      (call) throws(LuaFault) in
      try call.checkHeadersNotSent()
      let name = try call.requireBytes(0, "header name must be a string")
      try call.context.response.headers.remove(name: name)
    },
    PDKFunction(
      "kong.response.set_headers", .responseWriting, arguments: "headers", wants: .tables, "Sets several headers."
    ) { (call) throws(LuaFault) in
      try call.checkHeadersNotSent()
      guard call.isTable(0) else { throw LuaFault("headers must be a table") }
      let context = try call.context
      for field in try HeaderArguments.fields(of: call.value(0)) { set(field, in: context, call) }
    },
    PDKFunction("kong.response.get_raw_body", .wholeBody, "Whole body; in body_filter at the last chunk, nil before.") {
      (call) throws(LuaFault) in
      let context = try call.context
      if context.phase == .response { return call.returns(context.response.bufferedBody ?? ByteBuffer()) }
      let state = call.host.requestState(of: context)
      let key = call.host.pluginKey
      guard var buffered = state.bufferedBodies[key] else {
        if context.response.isLastChunk { return call.returns(context.response.chunk ?? ByteBuffer()) }
        state.bufferedBodies[key] = context.response.chunk ?? ByteBuffer()
        context.response.chunk = nil
        return call.returnNil()
      }
      state.bufferedBodies[key] = nil
      if let chunk = context.response.chunk { buffered.writeImmutableBuffer(chunk) }
      if context.response.isLastChunk {
        context.response.chunk = buffered
        call.returns(buffered)
      } else {
        state.bufferedBodies[key] = buffered
        context.response.chunk = nil
        call.returnNil()
      }
    },
    PDKFunction("kong.response.set_raw_body", .wholeBody, arguments: "body", "Replaces the rest of the body.") {
      (call) throws(LuaFault) in
      let body = try call.requireBytes(0, "body must be a string")
      let context = try call.context
      if context.phase == .response { return ClientIdentityNamespace.replaceBody(body, in: context) }
      // Kong compatibility: an empty body becomes a line break there; so it does here.
      context.response.chunk = body.isEmpty ? ByteBuffer(string: "\n") : ByteBuffer(bytes: body)
      context.response.isLastChunk = true
      call.host.requestState(of: context).bufferedBodies[call.host.pluginKey] = nil
    },
    PDKFunction.controlling(
      "kong.response.exit", .responseWriting, arguments: "status, body, headers", wants: [.tables, .jsonSecond],
      "Answers instead of the upstream and ends the phase.",
      { (call) throws(LuaFault) in
        try call.checkHeadersNotSent()
        let code = try status(call, 100...599)
        guard call.isNil(1) || call.bytes(1) != nil else { throw LuaFault("body must be a nil, string or table") }
        guard call.isNil(2) || call.isTable(2) else { throw LuaFault("headers must be a nil or table") }
        let fields = try HeaderArguments.fields(of: call.value(2))
        let context = try call.context
        for field in fields { set(field, in: context, call) }
        switch GRPCResponse.kind(of: context) {
        case .request: return exitGRPC(code, call, context)
        case .response:
          if call.isJSON(1) { throw LuaFault("table body encoding with gRPC is not supported") }
          GRPCResponse.setStatus(code, in: context)
        case .none: break
        }
        if call.isJSON(1), !fields.contains(where: { isContentType($0.name) }) {
          context.response.headers.set("Content-Type", "application/json; charset=utf-8")
        }
        if call.isNil(1), context.phase != .headerFilter, NginxPages.errorStatuses.contains(code) {
          context.earlyResponse = ErrorResponder.response(status: code, for: context)
        } else {
          context.earlyResponse = EarlyResponse(status: code, body: call.bytes(1).map { ByteBuffer(bytes: $0) })
        }
        return end(context, call.host)
      }),
    PDKFunction.controlling(
      "kong.response.error", .responseWriting, arguments: "status, message, headers", wants: [.tables, .jsonSecond],
      "Answers with an error in the form that the client accepts and ends the phase.",
      { (call) throws(LuaFault) in
        try call.checkHeadersNotSent()
        let code = try status(call, 400...599)
        guard call.isNil(1) || call.bytes(1) != nil else {
          throw LuaFault("message must be a nil, a string or a table")
        }
        guard call.isNil(2) || call.isTable(2) else { throw LuaFault("headers must be a nil or table") }
        let context = try call.context
        let fields = try HeaderArguments.fields(of: call.value(2))
        var format = ErrorResponder.Format(accepting: context.requestHeaders.first("accept"))
        var givenType: String?
        for field in fields where isContentType(field.name) {
          guard let value = field.values.first else { continue }
          givenType = String(decoding: value, as: UTF8.self)
          let media = givenType?.prefix { $0 != ";" && $0 != " " } ?? ""
          format = ErrorResponder.Format(mediaType: media) ?? format
        }
        let message = call.string(1) ?? ErrorResponder.defaultMessage(for: code)
        if givenType?.hasPrefix(GRPCResponse.contentType) ?? GRPCResponse.isRequest(context) {
          context.response.headers.set("Content-Type", givenType ?? GRPCResponse.contentType)
          for field in fields { set(field, in: context, call) }
          GRPCResponse.setStatus(code, in: context)
          GRPCResponse.setMessage(message, in: context)
          context.earlyResponse = EarlyResponse(status: code)
          return end(context, call.host)
        }
        context.response.headers.set("Content-Type", givenType ?? format.contentType)
        for field in fields { set(field, in: context, call) }
        let text = ErrorResponder.body(message: message, requestID: context.requestID, format: format)
        context.earlyResponse = EarlyResponse(status: code, body: ByteBuffer(string: text))
        return end(context, call.host)
      }),
  ]

  /// An answer to a gRPC client: the body's text is the message.
  private static func exitGRPC(_ code: Int, _ call: LuaCall, _ context: RequestContext) -> LuaOutcome {
    GRPCResponse.setStatus(code, in: context)
    if call.isJSON(1), let json = call.bytes(1) {
      if let message = GRPCResponse.message(ofJSON: json) {
        GRPCResponse.setMessage(message, in: context)
      } else {
        call.host.settings.logSink.write(
          .warn,
          line: "[kong] [\(call.host.pluginName ?? "core")] body was removed because table body encoding with gRPC "
            + "is not supported", requestID: context.requestID)
      }
    } else if let message = call.string(1) {
      GRPCResponse.setMessage(message, in: context)
    }
    context.earlyResponse = EarlyResponse(status: code)
    return end(context, call.host)
  }

  private static func isContentType(_ name: [UInt8]) -> Bool {
    name.count == 12 && name.map(HeaderArguments.lowered).elementsEqual("content-type".utf8)
  }

  /// Ends the phase, except in header_filter, whose code goes on unless the settings say otherwise.
  static func end(_ context: RequestContext, _ host: LuaHost) -> LuaOutcome {
    guard context.phase == .headerFilter, !host.settings.exitEndsHeaderFilter else { return .exit }
    // Filters of other plugins see the new status.
    if let status = context.earlyResponse?.status { context.response.status = status }
    return .returned
  }

  static func status(_ call: LuaCall, _ range: ClosedRange<Int>) throws(LuaFault) -> Int {
    guard let number = call.number(0) else { throw LuaFault("code must be a number") }
    guard let code = Int(exactly: number.rounded(.down)), range.contains(code) else {
      throw LuaFault("code must be a number between \(range.lowerBound) and \(range.upperBound)")
    }
    return code
  }

  static func set(_ field: (name: [UInt8], values: [[UInt8]]), in context: RequestContext, _ call: LuaCall) {
    if field.name.withUnsafeBytes(isTransferEncoding) { return call.host.logTransferEncodingIgnored() }
    HeaderArguments.set(field.name, field.values, in: &context.response.headers)
  }

  static func isTransferEncoding(_ name: UnsafeRawBufferPointer) -> Bool {
    name.count == 17 && name.map(HeaderArguments.lowered).elementsEqual("transfer-encoding".utf8)
  }
}

extension LuaHost {
  func logTransferEncodingIgnored() {
    settings.logSink.write(
      .warn, line: "[kong] [\(pluginName ?? "core")] manually setting Transfer-Encoding. Ignored.",
      requestID: context?.requestID)
  }
}
