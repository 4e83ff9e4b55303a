import PluginKit
import Testing

@testable import LuaRuntime

/// Kong's lists of the sandbox, line by line: what is listed is there, or refused by a sentence that names it.
///
/// Source: Kong fact, pdk §8.
@Suite struct SandboxListTests {
  private static func words(_ text: String) -> [String] { text.split { $0 == " " || $0 == "\n" }.map(String.init) }

  private static let strictModules =
    words(
      """
      bit string.buffer table.clear table.clone table.isarray table.isempty table.new table.nkeys argon2 bcrypt cjson
      cjson.safe lyaml kong.constants kong.meta kong.tools.cjson kong.tools.gzip kong.tools.ip kong.tools.jose
      kong.tools.json kong.tools.mime_type kong.tools.rand kong.tools.sha1 kong.tools.sha256 kong.tools.string
      kong.tools.table kong.tools.time kong.tools.timestamp kong.tools.uri kong.tools.utils kong.tools.uuid
      kong.tools.yield ngx.base64 ngx.re ngx.req ngx.resp ngx.semaphore pl.stringx pl.tablex resty.aes resty.lock
      resty.md5 resty.random resty.sha resty.sha1 resty.sha224 resty.sha256 resty.sha384 resty.sha512 resty.string
      resty.upload resty.core.time resty.lrucache resty.lrucache.pureffi resty.ada resty.ada.search resty.cookie
      resty.ipmatcher resty.jit-uuid resty.jwt resty.evp resty.jwt-validators resty.hmac resty.passwdqc resty.openssl
      socket.url tablepool version xmlua
      """)
    + words(
      """
      asn1 bn cipher ctx dh digest ec ecx err hmac kdf mac objects param pkcs12 pkey provider rand rsa ssl ssl_ctx stack
      version x509 x509.altname x509.chain x509.crl x509.csr x509.name x509.revoked x509.store x509.extension
      x509.extension.dist_points x509.extension.info_access
      """
    ).map { "resty.openssl." + $0 }

  private static let laxModules = words(
    """
    kong.enterprise_edition.tools.redis.v2 kong.concurrency pgmoon pgmoon.arrays pgmoon.hstore resty.memcached
    resty.mysql resty.redis resty.rediscluster resty.xmodem resty.dns.resolver resty.http resty.http_connect
    resty.http_headers resty.jq resty.session resty.aws resty.azure resty.gcp
    """)

  /// What `require` says in a mode: "table" and so on for a module, the sentence for a refusal.
  private func required(_ names: [String], in mode: SandboxMode) throws -> [String: String] {
    let code = """
      local r = {}
      for name in ([[\(names.joined(separator: " "))]]):gmatch("%S+") do
        local ok, module = pcall(require, name)
        r[#r + 1] = name .. "=" .. (ok and type(module) or tostring(module))
      end
      answer(unpack(r))
      """
    var found: [String: String] = [:]
    for line in try LuaFixture(sandbox: mode).answers(code) {
      let parts = line.dropFirst().dropLast().split(separator: "=", maxSplits: 1).map(String.init)
      if parts.count == 2 { found[parts[0]] = parts[1] }
    }
    return found
  }

  @Test("each listed module is there or refused by its name and with the reason")
  func modules() throws {
    let strict = try required(Self.strictModules + Self.laxModules, in: .strict)
    let lax = try required(Self.strictModules + Self.laxModules, in: .lax)
    for name in Self.strictModules {
      let isThere = ["table", "function"].contains(strict[name] ?? "")
      #expect(isThere == (LuaModules.refusal(of: name) == nil), "\(name): \(strict[name] ?? "")")
      #expect(lax[name] == strict[name], "\(name)")
      if !isThere {
        #expect(
          strict[name]?.contains("require '\(name)' not allowed within sandbox: ") == true, "\(strict[name] ?? "")")
      }
    }
    for name in Self.laxModules {
      let isThere = lax[name] == "table"
      #expect(isThere == (LuaModules.refusal(of: name) == nil), "\(name): \(lax[name] ?? "")")
      #expect(strict[name]?.contains("require '\(name)' not allowed within sandbox: ") == true, "\(strict[name] ?? "")")
    }
  }

  @Test("a definition that needs a listed module which is not there is refused when it is saved")
  func inspection() {
    let inspector = LuaPluginInspector(modules: SandboxModules.all(in: .lax), mode: .lax)
    for name in Self.strictModules + Self.laxModules {
      let message = InspectionRefusalTests.violations(handler: "require '\(name)'", inspector: inspector)["handler"]
      if let reason = LuaModules.refusal(of: name) {
        #expect(message == "error in line 1: require '\(name)' not allowed within sandbox: \(reason)")
      } else {
        #expect(message?.hasPrefix("error in line 1: require") != true, "\(name)")
      }
    }
  }

  /// Names that are nil in a mode.
  private func missing(_ names: [String], in mode: SandboxMode) throws -> [String] {
    let code = """
      local r = {}
      for path in ([[\(names.joined(separator: " "))]]):gmatch("%S+") do
        local ok, value = pcall(function()
          local node = _G
          for part in path:gmatch("[^.]+") do node = node[part] end
          return node
        end)
        -- What cannot be read in this phase is there.
        if ok and value == nil or (not ok and tostring(value):find("attempt to index")) then r[#r + 1] = path end
      end
      answer(unpack(r))
      """
    return try LuaFixture(sandbox: mode).answers(code).map { String($0.dropFirst().dropLast()) }
  }

  private static func members(_ prefix: String, _ names: String) -> [String] { words(names).map { prefix + "." + $0 } }

  private static let globals =
    words(
      "_VERSION _G assert error ipairs next pairs pcall print select tonumber tostring type unpack xpcall require io.type"
    )
    + members("bit", "arshift band bnot bor bswap bxor lshift rol ror rshift tobit tohex")
    + members("coroutine", "create resume running status wrap yield") + members("jit", "os arch version version_num")
    + members(
      "math",
      """
      abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min modf pi pow rad random
      sin sinh sqrt tan tanh
      """)
    + members("os", "clock date difftime time")
    + members("string", "byte char find format gmatch gsub len lower match rep reverse sub upper")
    + members(
      "table",
      """
      clear clone concat foreach foreachi getn insert isarray isempty maxn move new nkeys pack remove sort unpack
      """)

  private static let leftOut = words(
    """
    setmetatable getmetatable rawset rawget rawequal rawlen setfenv getfenv load loadstring dofile loadfile collectgarbage
    debug io.open io.popen io.lines os.execute os.getenv os.exit os.remove os.rename os.tmpname package newproxy module
    string.dump math.randomseed jit.on jit.off jit.flush
    """)

  private static let strictKong =
    members(
      "kong",
      """
      ctx.shared version version_num default_workspace configuration cluster.get_id ip.is_trusted jwe.decrypt jwe.decode
      jwe.encrypt nginx.get_subsystem node.get_hostname node.get_id plugin.get_id router.get_route router.get_service
      table.clear table.merge table.new telemetry.log
      """)
    + members(
      "kong.client",
      """
      get_ip get_port get_forwarded_ip get_forwarded_port get_credential get_consumer load_consumer authenticate
      get_consumer_groups get_consumer_group set_authenticated_consumer_groups set_authenticated_consumer_group
      authenticate_consumer_group_by_consumer_id set_token get_token get_jwt_token_header get_jwt_token_payload get_protocol
      """)
    + members(
      "kong.log",
      "emerg alert crit err warn notice info debug inspect deprecation set_serialize_value serialize set_format")
    + members(
      "kong.request",
      """
      get_scheme get_host get_port get_forwarded_scheme get_forwarded_host get_forwarded_port get_forwarded_path
      get_raw_forwarded_path get_forwarded_prefix get_http_version get_method get_path get_raw_path get_path_with_query
      get_raw_query get_query_arg get_query get_header get_headers get_raw_body get_body get_start_time get_uri_captures
      get_id
      """)
    + members(
      "kong.response",
      """
      get_status get_header get_headers get_source set_status set_header add_header clear_header set_headers get_raw_body
      set_raw_body exit error
      """)
    + members(
      "kong.service.request",
      """
      enable_buffering set_scheme set_path set_raw_query set_query clear_query_arg set_method set_header add_header
      clear_header set_headers set_raw_body set_body set_authentication_headers
      """)
    + members("kong.service.response", "get_status get_headers get_header get_raw_body get_body")
    + members(
      "kong.tracing",
      """
      start_span active_span set_active_span process_span set_should_sample get_sampling_decision
      get_probability_sampling_decision create_span link_span init_spans get_spans get_root_span
      """)

  private static let strictNginx =
    members(
      "ngx",
      """
      arg ctx var header headers_sent is_subrequest status config.nginx_version config.ngx_lua_version config.subsystem
      null OK ERROR AGAIN DONE DECLINED HTTP_OK HTTP_POST ERR WARN
      encode_base64 decode_base64 encode_args decode_args escape_uri unescape_uri md5 md5_bin sha1_bin hmac_sha1
      crc32_short crc32_long time now today localtime utctime http_time parse_http_time update_time cookie_time log say
      print flush eof exit redirect send_headers sleep get_phase quote_sql_str re.match re.find re.gmatch re.gsub re.sub
      resp.get_headers worker.id worker.pid worker.count worker.exiting
      """)
    + members(
      "ngx.req",
      """
      get_headers get_uri_args get_post_args read_body get_body_data set_header clear_header set_body_data set_uri
      set_uri_args set_method get_method http_version start_time raw_header socket is_internal discard_body
      """)

  private static let laxNames =
    members("kong.cache", "get get_bulk probe invalidate invalidate_local safe_set renew")
    + members(
      "kong.client",
      """
      get_aws_vpce_id tls.request_client_certificate tls.disable_session_reuse tls.get_full_client_certificate_chain
      tls.set_client_verify
      """)
    + words("certificates consumers keys plugins routes services snis targets upstreams").flatMap {
      ["kong.db.\($0).select", "kong.db.\($0).cache_key"]
    }
    + members(
      "kong.db",
      "consumers.select_by_username consumers.select_by_custom_id services.select_by_name plugins.select_by_cache_key")
    + members(
      "kong",
      """
      dns.resolve dns.toip nginx.get_statistics node.get_memory_stats vault.get vault.is_reference vault.parse_reference
      vault.update vault.try service.set_upstream service.set_target service.set_target_retry_callback service.set_retries
      service.set_timeouts service.set_tls_cert_key service.set_tls_verify service.set_tls_verify_depth
      service.set_tls_verify_store websocket.client.get_frame websocket.upstream.close
      """)
    + members(
      "ngx",
      """
      thread.spawn thread.wait thread.kill socket.tcp socket.udp socket.stream socket.connect req.get_body_file
      req.set_body_file location.capture location.capture_multi
      """)

  @Test("the names of the lists exist from their mode on, and what is left out on purpose does not")
  func names() throws {
    let strict = Self.globals + Self.strictKong + Self.strictNginx
    #expect(try missing(strict, in: .strict) == [])
    #expect(try missing(strict + Self.laxNames, in: .lax) == [])
    #expect(try missing(Self.laxNames, in: .strict).sorted() == Self.laxNames.sorted())
    #expect(try missing(Self.leftOut, in: .strict).sorted() == Self.leftOut.sorted())
    #expect(try missing(Self.leftOut, in: .lax).sorted() == Self.leftOut.sorted())
  }
}
