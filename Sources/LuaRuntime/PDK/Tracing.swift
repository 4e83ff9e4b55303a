import Crypto
import PluginKit

/// `kong.tracing` and `kong.telemetry`. Source: Kong fact, pdk §6.
///
/// Spans are tables of the prelude, kept with the request. While tracing is off they are all one span that keeps nothing.
enum TracingNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("tracing.settings", .any, level: .internal, "Whether spans are kept, and the share of traces that are.")
    {
      (call) throws(LuaFault) in
      call.returns(call.host.settings.tracingSamplingRate != nil)
      call.returns(call.host.settings.tracingSamplingRate ?? 0)
      call.returns(call.host.settings.tracesRequests)
      call.returns(call.host.settings.tracesBalancer)
    },
    PDKFunction("tracing.request", .any, level: .internal, "When the request began, and the attributes of its span.") {
      (call) throws(LuaFault) in
      let context = try call.context
      call.returns(Double(context.startedAtMilliseconds) * 1e6)
      let path = context.requestHeaders.withArena(context.rawTargetRange) { String(decoding: $0, as: UTF8.self) }
      call.beginTable(6)
      for (key, value) in [
        ("http.method", context.method.name), ("http.url", "\(context.scheme)://\(context.host)\(path)"),
        ("http.host", context.host), ("http.scheme", context.scheme), ("net.peer.ip", context.peerIP),
        ("http.flavor", context.httpVersion == 20 ? "2.0" : "1.\(context.httpVersion % 10)"),
      ] {
        call.returns(key)
        call.returns(value)
      }
    },
    PDKFunction(
      "tracing.outcome", .log, level: .internal, "How the request ended, and the attempts to reach upstreams."
    ) {
      (call) throws(LuaFault) in
      let context = try call.context
      let taken = context.endedAt > context.startedAt ? context.endedAt - context.startedAt : 0
      call.returns(Double(context.startedAtMilliseconds) * 1e6 + Double(taken))
      call.returns(context.response.status)
      call.returns(context.route?.entity["paths"]?.array?.first?.string)
      call.beginList(context.tries.count)
      for (place, attempt) in context.tries.enumerated() {
        call.beginTable(attempt.code == nil ? 4 : 5)
        call.returns("try_count")
        call.returns(place + 1)
        call.returns("net.peer.ip")
        call.returns(attempt.ip)
        call.returns("net.peer.port")
        call.returns(attempt.port)
        call.returns("started")
        call.returns(Double(attempt.balancerStart) * 1e6)
        if let code = attempt.code {
          call.returns("http.status_code")
          call.returns(code)
        }
      }
    },
    PDKFunction("tracing.span_id", .any, level: .internal, "Eight random bytes.") {
      (call) throws(LuaFault) in call.returns(randomBytes(8))
    },
    PDKFunction("tracing.trace_id", .any, level: .internal, "Sixteen random bytes.") {
      (call) throws(LuaFault) in call.returns(randomBytes(16))
    },
    PDKFunction(
      "kong.telemetry.log", .any, arguments: "plugin_name, plugin_config, message_type, message, attributes",
      wants: .tables, "Says nil and a sentence: no log records are sent to collectors."
    ) { (call) throws(LuaFault) in
      for (index, name) in ["plugin_name", "plugin_config", "message_type", "message", "attributes"].enumerated() {
        switch index {
        case 1: guard call.isTable(1) else { return call.returnsFailure("\(name) must be a table") }
        case 3: break
        case 4:
          guard call.isNil(4) || call.isTable(4) else { return call.returnsFailure("\(name) must be a table") }
        default: guard call.bytes(index) != nil else { return call.returnsFailure("\(name) must be a string") }
        }
      }
      call.returnsFailure("Telemetry logging is disabled")
    },
  ]

  static let declarations: [PreludeFunction] = [
    PreludeFunction("kong.tracing.start_span", .request, arguments: "name, options", "A new span, active or not."),
    PreludeFunction(
      "kong.tracing.create_span", .request, arguments: "_, options", "A new span that is linked nowhere."),
    PreludeFunction(
      "kong.tracing.link_span", .request, arguments: "_, span, name, options", "Adds a span to the trace."),
    PreludeFunction("kong.tracing.active_span", .request, "The span that new ones belong to."),
    PreludeFunction(
      "kong.tracing.set_active_span", .request, arguments: "span", "Sets the span that new ones belong to."),
    PreludeFunction(
      "kong.tracing.process_span", .log, arguments: "processor, ...", "Calls a function with each span that is kept."),
    PreludeFunction(
      "kong.tracing.set_should_sample", .request, arguments: "should_sample", "Sets whether the trace is kept."),
    PreludeFunction(
      "kong.tracing.get_sampling_decision", .request, arguments: "parent_should_sample, sampling_rate",
      "Whether this trace is kept."),
    PreludeFunction(
      "kong.tracing.get_probability_sampling_decision", .request, arguments: "trace_id, sampling_rate",
      "Whether a trace of that id is kept at that rate."),
    PreludeFunction("kong.tracing.init_spans", .request, "Forgets the spans of the request."),
    PreludeFunction("kong.tracing.get_spans", .request, "The spans of the request."),
    PreludeFunction("kong.tracing.get_root_span", .request, "The first span of the request."),
  ]

  private static func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
  }
}
