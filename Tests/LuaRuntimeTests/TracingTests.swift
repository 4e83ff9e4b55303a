import PluginKit
import Testing

@testable import LuaRuntime

/// `kong.tracing`, `kong.telemetry`, `kong.client.tls` and what this gateway does not have.
struct TracingTests {
  @Test("spans are kept with attributes, events and parents while tracing is on")
  func spans() throws {
    let fixture = LuaFixture()
    fixture.settings.tracingSamplingRate = 1
    let context = fixture.request()
    #expect(
      try fixture.answers(
        """
        local root = kong.tracing.start_span("root", {attributes = {a = 1}})
        kong.tracing.set_active_span(root)
        local child = kong.tracing.start_span("child")
        child:set_attribute("gone", "x")
        child:set_attribute("gone", nil)
        child:add_event("seen", {n = 2})
        child:record_error("no")
        child:set_status(2)
        child:finish()
        answer(child.parent_id == root.span_id, kong.tracing.active_span() == root, #child.events, child.attributes,
          #kong.tracing.get_spans(), kong.tracing:get_sampling_decision(), #root.trace_id,
          (pcall(kong.tracing.start_span, "")), (pcall(child.set_status, child, 3)))
        """, context) == ["true", "true", "2", "{}", "2", "true", "16", "false", "false"])
    #expect(
      try fixture.answers(
        "local n = {} kong.tracing.process_span(function(s) n[#n + 1] = s.name end) answer(n)", in: .log, context)
        == [#"{1="root", 2="child"}"#])
  }

  @Test("while tracing is off spans take everything and keep nothing")
  func off() throws {
    #expect(
      try LuaFixture().answers(
        """
        local s = kong.tracing.start_span("x")
        s:set_attribute("a", 1) s:add_event("b") s:finish()
        answer(s.name, kong.tracing.active_span(), kong.tracing:get_sampling_decision(),
          select(2, kong.telemetry.log("a", {}, "b", "c")), select(2, kong.telemetry.log(1)))
        """) == ["nil", "nil", "false", "\"Telemetry logging is disabled\"", "\"plugin_name must be a string\""])
  }

  @Test("spans are for requests, and processing them for the log phase")
  func phases() throws {
    #expect(
      try LuaFixture().answers("answer(select(2, pcall(kong.tracing.process_span, print)))")[0].contains(
        "function cannot be called in access phase (only in: log)"))
  }

  @Test("what makes no sense here raises a sentence")
  func absent() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        "answer(try(kong.websocket.client.get_frame), try(kong.jwe.decode, 'x'), try(kong.client.tls.set_client_verify, 'x'))"
      ) == [
        "\"error: not available here: frames of WebSocket connections pass this gateway unread\"",
        "\"error: not available here: encrypted tokens are not supported\"",
        #""error: unknown client verify value: x accepts: "SUCCESS", "NONE", "FAILED:<reason>"""#,
      ])
  }

  @Test("TLS settings of the upstream refuse other values and are kept with the request")
  func upstreamTLS() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    #expect(
      try fixture.answers(
        """
        answer(try(kong.service.set_tls_verify, "yes"), try(kong.service.set_tls_verify_store, "x"),
          try(kong.service.set_tls_cert_key, "c", "k"), try(kong.service.set_target_retry_callback, 1),
          kong.service.set_tls_verify(true))
        """, context) == [
          "\"error: argument must be a boolean\"",
          "\"error: argument must be a resty.openssl.x509.store object\"",
          "\"error: chain must be a parsed cdata object\"", "\"error: retry_callback must be a function\"", "true",
        ])
    #expect(context.upstream.tls?.verifies == true)
  }

  @Test("a retry callback runs in the balancer phase and may set another target")
  func retry() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let context = fixture.request()
    _ = try fixture.answers(
      """
      kong.service.set_target_retry_callback(function()
        kong.log.notice(ngx.get_phase())
        kong.service.set_target("10.0.0.2", 8080)
      end)
      """, context)
    context.willRetry?(context)
    #expect(context.upstream.host == "10.0.0.2")
    #expect(fixture.log.all.last?.line.hasSuffix("balancer") == true)
  }

  @Test("two tables encoded for one call do not disturb each other")
  func arguments() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    _ = try fixture.answers("return kong.response.exit(200, {a = 1}, {['X-A'] = 'b'})", context)
    #expect(context.earlyResponse?.text == #"{"a":1}"#)
  }
}
