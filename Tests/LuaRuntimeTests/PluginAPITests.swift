import EntityModel
import NIOCore
import PluginKit
import Testing

@testable import LuaRuntime

/// Behaviour of the plugin API against what a real Kong answered to the same snippets.
struct PluginAPITests {
  @Test("kong.request reads method, paths, query and version")
  func request() throws {
    let fixture = LuaFixture()
    let context = fixture.request("/a/b?a=1&flag&empty=&dup=x&dup=y&%65=e&&=n&b==c", method: .delete)
    let answers = try fixture.answers(
      """
      local q = kong.request.get_query_arg
      answer(kong.request.get_method(), kong.request.get_path(), kong.request.get_raw_path(), kong.request.get_host(),
        kong.request.get_http_version(), q("a"), q("flag"), q("empty"), q("none"), q("dup"), q("e"),
        kong.request.get_query(), (select(2, kong.request.get_query(2))), kong.request.get_port())
      """, context)
    #expect(
      answers == [
        "\"DELETE\"", "\"/a/b\"", "\"/a/b\"", "\"example.com\"", "1.1", "\"1\"", "true", "\"\"", "nil", "\"x\"",
        "\"e\"", "{a=\"1\", b=\"=c\", dup={1=\"x\", 2=\"y\"}, e=\"e\", empty=\"\", flag=true}", "\"truncated\"", "8000",
      ])
  }

  @Test("headers are found in any spelling and checked by name")
  func headers() throws {
    let fixture = LuaFixture()
    let context = fixture.request(headers: [("X-One", "1"), ("X-Two", "a"), ("x-two", "b")])
    let answers = try fixture.answers(
      """
      local g, h = kong.request.get_header, kong.request.get_headers()
      answer(g("X-One"), g("x_one"), g("X-Two"), g("none"), h.X_ONE, h["X-One"], h["x-two"], try(g, 1),
        try(kong.request.get_headers, 0), try(kong.request.get_headers, "5"), try(kong.request.get_headers, 1001))
      """, context)
    #expect(
      answers == [
        "\"1\"", "\"1\"", "\"a\"", "nil", "\"1\"", "\"1\"", "{1=\"a\", 2=\"b\"}",
        "\"error: header name must be a string\"", "\"error: max_headers must be >= 1\"",
        "\"error: max_headers must be a number\"", "\"error: max_headers must be <= 1000\"",
      ])
  }

  @Test("a function in the wrong phase says where it may be called")
  func phases() throws {
    let fixture = LuaFixture()
    #expect(
      try fixture.answers("answer(try(kong.request.get_raw_body))", in: .headerFilter) == [
        "\"error: function cannot be called in header_filter phase (only in: rewrite, access, response, error, "
          + "admin_api)\""
      ])
    #expect(
      try fixture.answers("answer(try(kong.response.get_status), try(kong.service.response.get_status))") == [
        "\"error: function cannot be called in access phase (only in: response, header_filter, body_filter, log, error, "
          + "admin_api)\"",
        "\"error: function cannot be called in access phase (only in: response, header_filter, body_filter, log)\"",
      ])
  }

  @Test("numbers and names at the ends of their ranges are texts or errors")
  func extremes() throws {
    let fixture = LuaFixture()
    let answers = try fixture.answers(
      """
      answer(ngx.escape_uri(-2^63), try(kong.request.get_headers, 0/0),
        (try(ngx.req.get_uri_args, 0/0)), (try(kong.response.set_header, ("\\1"):rep(4096), "v")),
        (try(kong.service.request.set_header, ("x"):rep(32767), "v")),
        (try(kong.response.set_headers, {[("x"):rep(32767)] = "v"})), try(ngx.sleep, 0/0), (try(kong.response.exit, 0/0)))
      """)
    #expect(
      answers == [
        "\"-9.2233720368548e%2B18\"", "\"error: max_headers must be >= 1\"",
        "\"ok\"", "\"ok\"", "\"error: invalid header name: empty or too long\"",
        "\"error: invalid header name: empty or too long\"", "\"error: invalid sleep duration\"",
        "\"error: code must be a number between 100 and 599\"",
      ])
  }

  @Test("bodies are decoded by their type")
  func bodies() throws {
    for (type, body, answer) in [
      ("application/json; charset=utf-8", #"{"a":1,"l":[]}"#, ["{a=1, l={}}", "nil", "\"application/json\""]),
      ("application/json", "\"text\"", ["nil", "\"invalid json body\"", "\"application/json\""]),
      (
        "application/problem+json", "{}",
        ["nil", "\"unsupported content type 'application/problem+json'\"", "\"application/problem+json\""]
      ),
      (
        "application/x-www-form-urlencoded", "a=1&b=x+y&c&a=2",
        ["{a={1=\"1\", 2=\"2\"}, b=\"x y\", c=true}", "nil", "\"application/x-www-form-urlencoded\""]
      ),
      (
        "multipart/form-data; boundary=XX", "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX--\r\n",
        ["{a=\"1\"}", "nil", "\"multipart/form-data\""]
      ),
      ("multipart/form-data", "--XX", ["{}", "nil", "\"multipart/form-data\""]),
    ] {
      let fixture = LuaFixture()
      let context = fixture.request(headers: [("Content-Type", type)], body: body)
      let answers = try fixture.answers("answer(kong.request.get_body())", context)
      #expect(answers == answer)
    }
    let fixture = LuaFixture()
    let large = fixture.request(body: String(repeating: "x", count: 20000))
    let answers = try fixture.answers(
      "local r = kong.request.get_raw_body answer((select(2, r())), #r(0), (select(2, r(100))))", large)
    #expect(
      answers == [
        "\"request body did not fit into client body buffer, consider raising 'client_body_buffer_size'\"", "20000",
        "\"request body file too big: 20000 > 100\"",
      ])
  }

  @Test("exit takes a table, a string or nothing, with headers of all kinds")
  func exit() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    try fixture.phase(
      "access",
      "return kong.response.exit(403, {message = 'no'}, {['X-List'] = {'a', 'b'}, ['X-Num'] = 42, ['X-A'] = 'a\\r\\nX-B: 1'})"
    ).run(.access, context)
    #expect(context.earlyResponse?.text == #"{"message":"no"}"#)
    let headers = context.response.headers
    #expect(headers.first("content-type") == "application/json; charset=utf-8")
    #expect(headers.values(of: "x-list") == ["a", "b"])
    #expect(headers.first("x-num") == "42")
    #expect(headers.first("x-a") == "a%0D%0AX-B: 1")

    let answers = try fixture.answers(
      """
      local e = kong.response.exit
      answer(try(e, "200"), try(e, 99), try(e, 200, true), try(e, 200, "x", {[1] = "a"}), try(e, 200, "x", {A = print}),
        try(e, 200, "x", {A = {1}}))
      """)
    #expect(
      answers == [
        "\"error: code must be a number\"", "\"error: code must be a number between 100 and 599\"",
        "\"error: body must be a nil, string or table\"",
        "\"error: invalid header name \"1\": got number, expected string\"",
        "\"error: invalid header value for \"A\": got function, expected string, number, boolean or array of strings\"",
        "\"error: invalid header value in array \"A\": got number, expected string\"",
      ])
  }

  @Test("error answers in the form that the client accepts")
  func error() throws {
    let fixture = LuaFixture()
    let context = fixture.request(headers: [("Accept", "text/*")])
    try fixture.phase("access", "kong.response.error(403, 'Not you', {['X-A'] = '1'})").run(.access, context)
    #expect(context.earlyResponse?.status == 403)
    #expect(context.earlyResponse?.text.contains("Not you") == true)
    #expect(context.response.headers.first("x-a") == "1")
  }

  @Test("the upstream's request is changed by kong.service.request")
  func serviceRequest() throws {
    let fixture = LuaFixture()
    let context = fixture.request("/x?old=1&a=b+c", headers: [("X-Old", "1"), ("X-Old", "2")])
    let answers = try fixture.answers(
      """
      local s = kong.service.request
      s.set_header("X-Old", "new") s.add_header("X-New", 2) s.add_header("X-New", true) s.set_header("Host", "h:81")
      s.set_path("/a b/%41?c#d") s.set_method("PUT") s.set_query({b = "x y&z", a = {"2", "1", true}, f = false, n = 5})
      s.set_body({a = 1}, "application/json")
      answer(try(s.set_scheme, "ftp"), try(s.set_path, "r"), try(s.set_method, "X"), try(s.set_query, {"x"}),
        try(s.set_body, {}, "text/plain"), try(s.set_header, "X"), kong.request.get_body())
      """, context)
    #expect(
      answers == [
        "\"error: invalid scheme: ftp\"", "\"error: path must start with /\"", "\"error: invalid method: X\"",
        "\"error: arg keys must be strings\"", "\"error: unsupported content type text/plain\"",
        "\"error: invalid header value for \"X\": got nil, expected array of string, string, number or boolean\"",
        "{a=1}", "nil", "\"application/json\"",
      ])
    #expect(context.requestHeaders.values(of: "x-old") == ["new"])
    #expect(context.requestHeaders.values(of: "x-new") == ["2", "true"])
    #expect(context.upstream.hostHeader == "h:81")
    #expect(context.upstream.path == Array("/a%20b/%41?c#d".utf8))
    #expect(context.method == .put)
    #expect(context.queryOverride == Array("a=2&a=1&a&b=x%20y%26z&n=5".utf8))
  }

  @Test("an empty value stays as a space, and :authority is for gRPC services")
  func specialHeaders() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    let answers = try fixture.answers(
      """
      kong.service.request.set_header("X-Empty", "")
      kong.service.request.set_headers({["X-List"] = {"", "a"}})
      answer(kong.request.get_header("X-Empty"), kong.request.get_headers()["x-list"],
        kong.service.request.set_header(":authority", "a.test"))
      """, context)
    #expect(
      answers == [
        "\" \"", "{1=\" \", 2=\"a\"}", "nil", "\"cannot set :authority pseudo-header on non-grpc requests\"",
      ])
    #expect(context.requestHeaders.firstIndex(of: ":authority") == nil)
  }

  @Test("body_filter gets the whole body at the last chunk and replaces it")
  func bodyFilter() throws {
    let fixture = LuaFixture()
    let plugin = try fixture.phase(
      "body_filter",
      "local b = kong.response.get_raw_body() if b then kong.response.set_raw_body('<' .. b .. '>') end")
    let context = fixture.request()
    var sent: [String?] = []
    for (chunk, isLast) in [("he", false), ("llo", false), ("", true)] {
      context.response.chunk = ByteBuffer(string: chunk)
      context.response.isLastChunk = isLast
      plugin.run(.bodyFilter, context)
      sent.append(context.response.chunk.map { String(buffer: $0) })
    }
    #expect(sent == [nil, nil, "<hello>"])
  }

  @Test("log lines name the file, the line and the plugin")
  func log() throws {
    let fixture = LuaFixture()
    try fixture.phase(
      "log", name: "logger", "kong.log.warn('a', 1, true, nil)\nkong.log('b')\nkong.log.inspect({x = 1})"
    ).run(.log, fixture.request())
    let lines = fixture.log.all
    #expect(lines.map(\.level) == [.warn, .notice, .notice])
    #expect(lines[0].line == "[kong] handler.lua:3 [logger] a1truenil")
    #expect(lines[1].line == "[kong] handler.lua:4 [logger] b")
    #expect(lines[2].line.contains("x = 1"))
  }

  @Test("serialize redacts credentials and takes the values that were set")
  func serialize() throws {
    let fixture = LuaFixture()
    let context = fixture.request("/p?a=1&c", headers: [("Authorization", "Basic x"), ("X-One", "1")])
    context.response.status = 200
    _ = try fixture.answers(
      """
      local set = kong.log.set_serialize_value
      set("mine", "x") set("request.extra.deep", {a = 1}) set("gone", 1) set("gone", nil)
      set("once", 1, {mode = "add"}) set("once", 2, {mode = "add"}) set("never", 1, {mode = "replace"})
      """, context)
    let answers = try fixture.answers(
      """
      local m = kong.log.serialize()
      answer(m.request.headers.authorization, m.request.headers["x-one"], m.request.querystring, m.response.status,
        m.upstream_status, m.mine, m.request.extra, m.gone, m.once, m.never, m.source, m.latencies.proxy, m.client_ip)
      """, in: .log, context)
    #expect(
      answers == [
        "\"REDACTED\"", "\"1\"", "{a=\"1\", c=true}", "200", "\"\"", "\"x\"", "{deep={a=1}}", "nil", "1", "nil",
        "\"kong\"", "-1", "\"127.0.0.1\"",
      ])
  }

  @Test("ngx encodes, hashes and tells times as OpenResty does")
  func nginx() throws {
    let answers = try LuaFixture().answers(
      #"""
      answer(ngx.encode_base64("hello\0\255"), ngx.encode_base64("ab", true), ngx.decode_base64("aGVsbG8"),
        ngx.decode_base64("!!"), ngx.escape_uri("a b/c?~'(é"), ngx.escape_uri("a b/c?d=e:@", 0), ngx.md5("hello"),
        ngx.crc32_short("hello"), ngx.http_time(1290079655), ngx.cookie_time(1547827200),
        ngx.parse_http_time("Thu, 18 Nov 2010 11:27:35 GMT"), ngx.encode_args({a = {"1", "2"}}),
        ngx.decode_args("a=1&b=x+y&=n&&f==g"), ngx.HTTP_PATCH, tostring(ngx.null), ngx.get_phase(),
        ngx.quote_sql_str("a'b"))
      """#)
    #expect(
      answers == [
        "\"aGVsbG8A/w==\"", "\"YWI\"", "\"hello\"", "nil", "\"a%20b%2Fc%3F~'(%C3%A9\"", "\"a%20b/c%3Fd=e:@\"",
        "\"5d41402abc4b2a76b9719d911017c592\"", "907060870", "\"Thu, 18 Nov 2010 11:27:35 GMT\"",
        "\"Fri, 18-Jan-19 16:00:00 GMT\"", "1290079655", "\"a=1&a=2\"", "{a=\"1\", b=\"x y\", f=\"=g\"}", "16384",
        "\"userdata: NULL\"", "\"access\"", "\"'a\\'b'\"",
      ])
  }

  @Test("ngx.var, ngx.header, ngx.status and ngx.say work on the request")
  func nginxRequest() throws {
    let fixture = LuaFixture()
    let context = fixture.request("/v?a=1&enc=%20+z", headers: [("Cookie", "a=1; b=two words"), ("X-One", "1")])
    let answers = try fixture.answers(
      """
      ngx.header.x_under = "u" ngx.header["X-List"] = {"a", "b"} ngx.header["X-Gone"] = "x" ngx.header["X-Gone"] = nil
      ngx.status = 202
      answer(ngx.var.arg_a, ngx.var.arg_enc, ngx.var.cookie_b, ngx.var.http_x_one, ngx.var.request_uri, ngx.header.x_under,
        ngx.header["X-List"], ngx.header["X-Gone"], ngx.status, ngx.headers_sent)
      ngx.say("hi") ngx.exit(200)
      """, context)
    #expect(
      answers == [
        "\"1\"", "\"%20+z\"", "\"two words\"", "\"1\"", "\"/v?a=1&enc=%20+z\"", "\"u\"", "{1=\"a\", 2=\"b\"}", "nil",
        "202", "false",
      ])
    #expect(context.earlyResponse?.status == 202)
    #expect(context.earlyResponse?.text == "hi\n")
  }

  @Test("the reference page lists every public function with its phases")
  func reference() {
    let page = referenceMarkdown()
    #expect(page.contains("| `kong.request.get_header(name)` | rewrite, access, balancer, response,"))
    #expect(page.contains("| `kong.service.set_target(host, port)` | rewrite, access, balancer, preread | lax |"))
    #expect(!page.contains("| internal |"))
  }
}
