import PluginKit
import Testing

@testable import LuaRuntime

/// Each function in each phase: callable where Kong allows it, refused with Kong's sentence everywhere else.
struct PhaseMatrixTests {
  private static let phases: [Phase] = [
    .certificate, .rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log,
  ]
  private static let request: [Phase] = [.rewrite, .access, .balancer, .response, .headerFilter, .bodyFilter, .log]
  private static let afterRewrite: [Phase] = [.access, .response, .headerFilter, .bodyFilter, .log]
  private static let responseReading: [Phase] = [.response, .headerFilter, .bodyFilter, .log]
  private static let responseWriting: [Phase] = [.rewrite, .access, .balancer, .response, .headerFilter]

  /// Where functions may be called. Source: Kong fact, pdk §1 to §6.
  private static let facts: [(phases: [Phase], prefix: String, names: String)] = [
    (
      request, "kong.request.",
      """
      get_scheme get_host get_forwarded_scheme get_forwarded_host get_forwarded_port get_forwarded_path
      get_raw_forwarded_path get_forwarded_prefix get_http_version get_method get_path get_raw_path get_path_with_query
      get_raw_query get_query_arg get_query get_header get_headers get_raw_headers get_start_time get_uri_captures get_id
      """
    ),
    ([.certificate] + request, "kong.request.", "get_port"),
    ([.rewrite, .access, .response], "kong.request.", "get_raw_body get_body"),
    (responseReading, "kong.response.", "get_status get_header get_headers get_source"),
    (
      responseWriting, "kong.response.",
      "set_status set_header add_header clear_header set_headers exit error"
    ),
    ([.response, .bodyFilter], "kong.response.", "get_raw_body set_raw_body"),
    ([.access], "kong.service.", "set_upstream set_target_retry_callback set_retries set_timeouts"),
    (
      [.rewrite, .access, .balancer], "kong.service.",
      "set_target set_tls_cert_key set_tls_verify set_tls_verify_depth set_tls_verify_store"
    ),
    (
      [.rewrite, .access, .balancer], "kong.service.request.",
      "enable_buffering set_scheme set_path set_header set_raw_body"
    ),
    (
      [.rewrite, .access], "kong.service.request.",
      """
      set_raw_query set_query clear_query_arg set_method add_header clear_header set_headers set_body
      set_authentication_headers
      """
    ),
    ([.balancer], "kong.service.request.", "disable_tls enable_tls"),
    (responseReading, "kong.service.response.", "get_status get_headers get_header get_raw_body get_body"),
    ([.response], "kong.service.response.", "set_body"),
    ([.certificate] + request, "kong.client.", "get_ip get_port get_forwarded_ip get_forwarded_port"),
    (
      afterRewrite, "kong.client.",
      """
      get_credential get_consumer load_consumer get_consumer_groups get_consumer_group
      set_authenticated_consumer_groups set_authenticated_consumer_group set_token get_token get_jwt_token_header
      get_jwt_token_payload get_protocol
      """
    ),
    ([.access], "kong.client.", "authenticate authenticate_consumer_group_by_consumer_id"),
    ([.certificate], "kong.client.tls.", "request_client_certificate disable_session_reuse"),
    ([.rewrite, .access, .response, .balancer, .log], "kong.client.tls.", "get_full_client_certificate_chain"),
    ([.rewrite, .access, .response, .balancer], "kong.client.tls.", "set_client_verify"),
    ([.certificate] + request, "kong.log.", "set_serialize_value"),
    ([.log], "kong.log.", "serialize"),
    ([.log], "kong.tracing.", "process_span"),
    (afterRewrite, "kong.router.", "get_route get_service"),
  ]

  @Test("the phases of every function are those of the facts")
  func declarations() {
    let declared = Dictionary(
      (PDKNamespaces.all.filter { $0.level != .internal }.map { ($0.name, $0.phases.phases) })
        + PDKNamespaces.prelude.map { ($0.name, $0.phases.phases) }, uniquingKeysWith: { first, _ in first })
    for fact in Self.facts {
      for name in fact.names.split(whereSeparator: \.isWhitespace) {
        #expect(declared[fact.prefix + name] == PhaseSet(fact.phases), "\(fact.prefix)\(name)")
      }
    }
  }

  @Test("a call in a phase that is not allowed raises, one in an allowed phase does not", arguments: phases)
  func calls(phase: Phase) throws {
    let functions =
      PDKNamespaces.all.filter { $0.level != .internal }.map { ($0.name, $0.phases) }
      + PDKNamespaces.prelude.map { ($0.name, $0.phases) }
    let checked = functions.filter { !$0.1.phases.isEmpty }
    #expect(checked.count > 120)
    var code = "local wrong = {}\n"
    for (index, (name, phases)) in checked.enumerated() {
      let path = name.split(separator: ".").map { "[\"\($0)\"]" }.joined()
      let refusal = "function cannot be called in \(phase.name) phase (only in: \(phases.names))"
      let test =
        phases.phases.contains(phase)
        ? "find(e, 'cannot be called in', 1, true)" : "ok or not find(e, '\(refusal)', 1, true)"
      code += """
        do local ok, e = pcall(_G\(path)) e = tostring(e)
        if \(test) then wrong[#wrong + 1] = '\(name)' .. ': ' .. e end end\n
        """
      if index % 40 == 39 { code += "end)();\n(function()\n" }
    }
    let fixture = LuaFixture(sandbox: .on)
    let context = fixture.request("/a?b=c", headers: [("Host", "example.com"), ("Content-Type", "text/plain")])
    context.response.status = 200
    context.handshake = TLSHandshakeDemands()
    let wrong = try fixture.answers(
      "local find = string.find \(LuaPhaseText.wrapped(code)) answer(wrong)", in: phase, context)
    #expect(wrong == ["{}"])
  }

  @Test("exit and error take the same arguments in every phase that allows them", arguments: responseWriting)
  func exits(phase: Phase) throws {
    for (call, status, type, body) in [
      ("exit(204)", 204, nil, ""),
      ("exit(200, 'text')", 200, nil, "text"),
      ("exit(201, {a = 1})", 201, "application/json; charset=utf-8", #"{"a":1}"#),
      (
        "exit(201, {a = 1}, {['Content-Type'] = 'application/problem+json'})", 201, "application/problem+json",
        #"{"a":1}"#
      ),
      ("exit(200.7, '')", 200, nil, ""),
      ("error(403, 'no')", 403, "application/json; charset=utf-8", "no"),
      ("error(599, nil, {['content-type'] = 'text/plain'})", 599, "text/plain", "responded with 599"),
    ] as [(String, Int, String?, String)] {
      let fixture = LuaFixture()
      let context = fixture.request()
      if phase == .response || phase == .headerFilter { context.response.status = 200 }
      let plugin = try fixture.phase(phase.name, "kong.response.\(call) kong.ctx.shared.after = true")
      #expect(plugin.run(phase, context).name == "finished", "\(call)")
      #expect(context.earlyResponse?.status == status, "\(call)")
      #expect(context.response.headers.first("content-type") == type, "\(call)")
      let text = context.earlyResponse?.text ?? ""
      #expect(text == body || (call.hasPrefix("error") && text.contains(body)), "\(call)")
      // In header_filter the code goes on, as in Kong.
      #expect((LuaHost.sharedValue("after", of: context) == nil) == (phase != .headerFilter), "\(call)")
    }
    let refusals = try LuaFixture().answers(
      """
      local e, r = kong.response.exit, kong.response.error
      answer(try(e), try(e, 600), try(e, 200, 1), try(e, 200, "", "x"), try(r), try(r, 399), try(r, 600), try(r, 400, true),
        try(r, 400, "", 1))
      """, in: phase)
    #expect(
      refusals
        == [
          "code must be a number", "code must be a number between 100 and 599", "body must be a nil, string or table",
          "headers must be a nil or table", "code must be a number", "code must be a number between 400 and 599",
          "code must be a number between 400 and 599", "message must be a nil, a string or a table",
          "headers must be a nil or table",
        ].map { "\"error: \($0)\"" })
  }

  @Test("after the head has gone every writer raises, and nginx's assignments are logged and left out")
  func headersSent() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    context.response.status = 200
    context.response.headersSent = true
    let names = [
      "set_status, 201", "set_header, 'A', '1'", "add_header, 'A', '1'", "clear_header, 'A'", "set_headers, {}",
      "exit, 200", "error, 400",
    ]
    let answers = try fixture.answers(
      "answer(" + names.map { "try(kong.response.\($0))" }.joined(separator: ", ") + ")", in: .headerFilter, context)
    #expect(answers == names.map { _ in "\"error: headers have already been sent\"" })
    for phase in [Phase.bodyFilter, .log] {
      #expect(
        try fixture.answers(
          "ngx.status = 500 ngx.header['X-Late'] = '1' answer(ngx.status, ngx.header['X-Late'], ngx.headers_sent)",
          in: phase, context) == ["200", "nil", "true"])
    }
    let lines = fixture.log.all.filter { $0.level == .err }.map(\.line)
    #expect(lines.contains { $0.contains("attempt to set ngx.status after sending out response headers") })
    #expect(lines.contains { $0.contains("attempt to set ngx.header.X-Late after sending out response headers") })
  }

  @Test("gRPC clients and responses get their status and message in fields")
  func grpc() throws {
    let fixture = LuaFixture()
    let context = fixture.request(headers: [("Content-Type", "application/grpc+proto")])
    context.httpVersion = 20
    try fixture.phase("access", "kong.response.exit(403, {message = 'not you'})").run(.access, context)
    #expect(context.earlyResponse?.status == 403)
    #expect(context.earlyResponse?.text == "")
    #expect(context.response.headers.first("grpc-status") == "7")
    #expect(context.response.headers.first("grpc-message") == "not you")

    let error = fixture.request(headers: [("Content-Type", "application/grpc")])
    error.httpVersion = 20
    try fixture.phase("access", "kong.response.error(503, 'later')").run(.access, error)
    #expect(error.response.headers.first("content-type") == "application/grpc")
    #expect(error.response.headers.first("grpc-status") == "14")
    #expect(error.response.headers.first("grpc-message") == "later")
    #expect(error.earlyResponse?.text == "")

    let given = fixture.request()
    try fixture.phase(
      "access", "kong.response.exit(200, 'bytes', {['Content-Type'] = 'application/grpc'})"
    ).run(.access, given)
    #expect(given.response.headers.first("grpc-status") == "0")
    #expect(given.earlyResponse?.text == "bytes")
    #expect(
      try fixture.answers(
        "answer(try(kong.response.exit, 200, {a = 1}, {['Content-Type'] = 'application/grpc'}))")
        == ["\"error: table body encoding with gRPC is not supported\""])
    // Over HTTP/1 it is a request like any other.
    let plain = fixture.request(headers: [("Content-Type", "application/grpc")])
    try fixture.phase("access", "kong.response.exit(403, 'no')").run(.access, plain)
    #expect(plain.response.headers.first("grpc-status") == nil)
    #expect(plain.earlyResponse?.text == "no")
  }

  @Test("what this gateway has no place for raises a sentence that names it")
  func absent() throws {
    let answers = try LuaFixture(sandbox: .lax).answers(
      """
      answer(try(ngx.location.capture, "/x"), try(ngx.location.capture_multi, {}), try(ngx.req.set_body_file, "/x"),
        try(ngx.req.socket), ngx.req.get_body_file())
      """)
    #expect(answers.count == 5)
    for (answer, name) in zip(
      answers,
      [
        "ngx.location.capture", "ngx.location.capture_multi", "ngx.req.set_body_file",
        "ngx.req.socket",
      ])
    {
      #expect(answer.contains("\(name) is not available here: "), "\(answer)")
    }
    #expect(answers.last == "nil")
    #expect(
      try LuaFixture(sandbox: .on).answers("answer(try(ngx.exec, '/x'))")[0].contains("ngx.exec is not available"))
    // As in Kong's sandbox they are nil there; the log says why.
    #expect(try LuaFixture().answers("answer(type(ngx.location), type(ngx.timer))") == ["\"nil\"", "\"nil\""])
    #expect(
      try LuaFixture(sandbox: .lax).answers("ngx.timer.at(1, print)")[0].contains(
        "attempt to index field 'timer' (a nil value); plugins of the configuration have no timers (ngx.timer)"))
  }

  @Test("ngx.print and its like write a response in the phases that can answer, and nowhere else")
  func printing() throws {
    for phase in [Phase.rewrite, .access, .response] {
      let fixture = LuaFixture()
      let context = fixture.request()
      try fixture.phase(
        phase.name, "ngx.print('a', 1) ngx.flush(true) ngx.say({'b', {'c'}}) ngx.eof() ngx.send_headers()"
      ).run(phase, context)
      #expect(context.earlyResponse?.text == "a1bc\n")
      #expect(context.earlyResponse?.status == 200)
    }
    for phase in [Phase.certificate, .balancer, .headerFilter, .bodyFilter, .log] {
      let context = LuaFixture().request()
      let answers = try LuaFixture().answers(
        "answer(pcall(ngx.print, 'a'), (pcall(ngx.say, 'a')), (pcall(ngx.flush)), (pcall(ngx.eof)), (pcall(ngx.redirect, '/')))",
        in: phase)
      #expect(answers.first == "false" && answers.dropFirst().allSatisfy { $0 != "true" }, "\(phase)")
      #expect(context.earlyResponse == nil)
    }
  }
}

/// Long code in functions of its own: a Lua function holds 200 local names and a limited number of constants.
private enum LuaPhaseText {
  static func wrapped(_ code: String) -> String {
    let head = "local wrong = {}\n"
    return head + "(function()\n" + code.dropFirst(head.count) + "end)()\n"
  }
}
