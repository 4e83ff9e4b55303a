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

  @Test("the request has a span of its own, and each attempt to reach an upstream, when that is wanted")
  func requestSpans() throws {
    let fixture = LuaFixture()
    fixture.settings.tracingSamplingRate = 1
    fixture.settings.tracesRequests = true
    fixture.settings.tracesBalancer = true
    let context = fixture.request("/a?b=1", method: .post)
    context.startedAtMilliseconds = 1000
    context.startedAt = 5_000_000
    #expect(
      try fixture.answers(
        """
        local root = kong.tracing.active_span()
        local child = kong.tracing.start_span("child")
        answer(root.name, root.kind, root == kong.tracing.get_root_span(), child.parent_id == root.span_id,
          root.attributes["http.method"], root.attributes["http.url"], root.start_time_ns / 1e6)
        """, context) == [
          "\"kong\"", "2", "true", "true", "\"POST\"", "\"http://example.com/a?b=1\"", "1000",
        ])
    context.tries = [
      UpstreamTry(ip: "10.0.0.1", port: 80, balancerStart: 1001, balancerLatencyNanoseconds: 0),
      UpstreamTry(ip: "10.0.0.2", port: 81, balancerStart: 1003, balancerLatencyNanoseconds: 0),
    ]
    context.tries[0].code = 502
    context.response.status = 201
    context.endedAt = 15_000_000
    #expect(
      try fixture.answers(
        """
        local n = {}
        for _ = 1, 2 do
          n = {}
          kong.tracing.process_span(function(s)
            n[#n + 1] = table.concat({s.name, s.attributes["http.status_code"] or "-", s.status or 0,
              s.attributes["net.peer.ip"] or "-", s.end_time_ns and (s.end_time_ns - s.start_time_ns) / 1e6 or "open"}, " ")
          end)
        end
        answer(unpack(n))
        """, in: .log, context) == [
          "\"kong 201 0 127.0.0.1 10\"", "\"child - 0 - open\"", "\"kong.balancer 502 2 10.0.0.1 2\"",
          "\"kong.balancer - 0 10.0.0.2 7\"",
        ])
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
