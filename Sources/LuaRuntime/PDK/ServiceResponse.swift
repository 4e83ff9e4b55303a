import NIOCore
import PluginKit

/// `kong.service.response`: what the upstream answered. Source: Kong fact, pdk §3.
enum ServiceResponseNamespace {
  private static let notBuffered =
    "service body is only available with buffered proxying (see: kong.service.request.enable_buffering function)"

  static let functions: [PDKFunction] = [
    PDKFunction("kong.service.response.get_status", .serviceResponse, "Status of the upstream, nil if not proxied.") {
      (call) throws(LuaFault) in
      if let status = try call.context.response.upstreamStatus { call.returns(status) } else { call.returnNil() }
    },
    PDKFunction(
      "kong.service.response.get_header", .serviceResponse, arguments: "name", "First value of an upstream's header."
    ) { (call) throws(LuaFault) in
      let name = try call.requireBytes(0, "name must be a string")
      HeaderArguments.returnFirst(call, try call.context.response.upstreamHeaders, name)
    },
    PDKFunction(
      "kong.service.response.get_headers", .serviceResponse, arguments: "max_headers", "Headers of the upstream."
    ) { (call) throws(LuaFault) in
      let limit = try HeaderArguments.limit(call, 0, "max_headers", \.responseHeaders)
      HeaderArguments.returnFields(call, try call.context.response.upstreamHeaders ?? HeaderBlock(), limit: limit)
    },
    PDKFunction("kong.service.response.get_raw_body", .serviceResponse, "Body of the upstream, when buffered.") {
      (call) throws(LuaFault) in call.returns(try body(call))
    },
    PDKFunction(
      "kong.service.response.get_body", .serviceResponse, arguments: "mimetype, max_args",
      "Body of the upstream decoded, when buffered."
    ) { (call) throws(LuaFault) in
      let bytes = try body(call)
      let limit = try HeaderArguments.limit(call, 1, "max_args", \.formArguments)
      let context = try call.context
      guard let type = call.string(0) ?? context.response.upstreamHeaders?.first("content-type") else {
        return call.returnsFailure("missing content type")
      }
      RequestBodyReading.returnDecoded(call, bytes, contentType: type, limit: limit)
    },
  ]

  private static func body(_ call: LuaCall) throws(LuaFault) -> ByteBuffer {
    let context = try call.context
    guard context.buffersResponse else { throw LuaFault(notBuffered) }
    return context.response.bufferedBody ?? ByteBuffer()
  }
}
