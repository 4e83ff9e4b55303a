import Crypto
import PluginKit

/// `ngx.var`, `ngx.get_phase`, `ngx.worker`. Source: Kong fact, pdk §7.
enum NginxVariableNamespace {
  static let functions: [PDKFunction] = [
    PDKFunction("ngx.get_phase", .any, "Name of the running phase.") {
      (call) throws(LuaFault) in
      if call.host.isTimer { return call.returns("timer") }
      guard call.host.context != nil else { return call.returns("init_worker") }
      call.returns(call.host.phase == .certificate ? "ssl_cert" : call.host.phase.name)
    },
    PDKFunction("ngx.worker.id", .any, "Number of the event loop.") {
      (call) throws(LuaFault) in call.returns(call.host.loopIndex)
    },
    PDKFunction("ngx.worker.pid", .any, "Number of the event loop: the process's own is not told.") {
      (call) throws(LuaFault) in call.returns(call.host.loopIndex + 1)
    },
    PDKFunction("ngx.worker.count", .any, "Number of event loops, as configured.") {
      (call) throws(LuaFault) in
      call.returns(Int(call.host.node.configuration["nginx_worker_processes"]?.integer ?? 1))
    },
    PDKFunction("ngx.worker.exiting", .any, "Always false.") { (call) throws(LuaFault) in call.returns(false) },
    PDKFunction("ngx.get_variable", .any, level: .internal, "ngx.var[name]") {
      (call) throws(LuaFault) in
      guard let name = call.string(0) else { return call.returnNil() }
      try read(name, call, call.context)
    },
    PDKFunction("ngx.set_variable", .any, level: .internal, "ngx.var[name] = value") {
      (call) throws(LuaFault) in
      let name = try call.requireString(0, "bad variable name")
      let value = call.text(1) ?? ""
      let context = try call.context
      switch name {
      case "args": context.queryOverride = Array(value.utf8)
      case "upstream_uri":
        let parts = value.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        context.upstream.path = Array(parts[0].utf8)
        if parts.count == 2 { context.queryOverride = Array(parts[1].utf8) }
      case "upstream_host": context.upstream.hostHeader = value
      case "upstream_scheme": context.upstream.scheme = value == "https" ? "https" : "http"
      case "limit_rate", "upstream_te", "upstream_connection", "upstream_upgrade", "kong_proxy_mode": break
      default: throw LuaFault("variable \"\(name)\" not changeable")
      }
    },
  ]

  private static func read(_ name: String, _ call: LuaCall, _ context: RequestContext) throws(LuaFault) {
    if name.hasPrefix("http_") {
      let field = name.dropFirst(5).replacing("_", with: "-")
      return call.returns(joined(context.requestHeaders.values(of: String(field)), field))
    }
    if name.hasPrefix("sent_http_") {
      let field = name.dropFirst(10).replacing("_", with: "-")
      return call.returns(joined(context.response.headers.values(of: String(field)), field))
    }
    if name.hasPrefix("upstream_http_") {
      let field = name.dropFirst(14).replacing("_", with: "-")
      return call.returns(joined(context.response.upstreamHeaders?.values(of: String(field)) ?? [], field))
    }
    if name.hasPrefix("arg_") { return try argument(String(name.dropFirst(4)), call) }
    if name.hasPrefix("cookie_") {
      let wanted = name.dropFirst(7)
      for header in context.requestHeaders.values(of: "cookie") {
        for pair in header.split(separator: ";") {
          let cookie = pair.drop { $0 == " " }
          guard let mark = cookie.firstIndex(of: "="), cookie[..<mark].lowercased() == wanted.lowercased() else {
            continue
          }
          return call.returns(String(cookie[cookie.index(after: mark)...]))
        }
      }
      return call.returnNil()
    }
    switch name {
    case "args", "query_string":
      try RequestNamespace.withQuery(call) { $0.isEmpty ? call.returnNil() : call.returns($0) }
    case "is_args": try RequestNamespace.withQuery(call) { call.returns($0.isEmpty ? "" : "?") }
    case "uri", "document_uri": call.returns(context.normalizedPath)
    case "request_uri": context.requestHeaders.withArena(context.rawTargetRange) { call.returns($0) }
    case "request_method": call.returns(context.method.name)
    case "request_id": call.returns(context.requestID)
    case "kong_request_id": call.returns(context.requestID)
    case "scheme": call.returns(context.scheme)
    case "https": call.returns(context.isTLS ? "on" : "")
    case "host": call.returns(context.host)
    case "server_name": call.returns("kong")
    case "server_port": call.returns(String(context.localPort))
    case "server_addr": call.returns(context.localIP)
    case "server_protocol":
      call.returns(context.httpVersion == 20 ? "HTTP/2.0" : "HTTP/1.\(context.httpVersion % 10)")
    case "remote_addr": call.returns(context.clientIP)
    case "remote_port": call.returns(String(context.clientPort))
    case "realip_remote_addr": call.returns(context.peerIP)
    case "realip_remote_port": call.returns(String(context.peerPort))
    case "content_type": call.returns(context.requestHeaders.first("content-type"))
    case "content_length": call.returns(context.requestHeaders.first("content-length"))
    case "request_length": call.returns(String(context.requestHeadSize + context.requestBodySize))
    case "request_body":
      if let body = context.requestBody.bytes, body.readableBytes > 0 { call.returns(body) } else { call.returnNil() }
    case "request_time":
      call.returns(luaText(of: max(0, (TextTools.now() - Double(context.startedAtMilliseconds) / 1000))))
    case "status": call.returns(String(context.response.status))
    case "bytes_sent", "body_bytes_sent": call.returns(String(context.response.totalSize))
    case "upstream_status": call.returns(context.response.upstreamStatus.map(String.init))
    case "upstream_uri":
      var uri = context.upstream.path
      try RequestNamespace.withQuery(call) { if !$0.isEmpty { uri += [UInt8(ascii: "?")] + $0 } }
      call.returns(uri)
    case "upstream_host": call.returns(context.upstream.hostHeader ?? context.upstream.host)
    case "upstream_scheme": call.returns(context.upstream.scheme)
    case "kong_proxy_mode": call.returns("http")
    case "ssl_client_verify":
      // What nobody has verified is not taken for good.
      call.returns(
        context.clientCertificateVerification
          ?? (context.clientCertificates.isEmpty ? "NONE" : "FAILED:certificate not verified"))
    case "ssl_client_raw_cert", "ssl_client_escaped_cert", "ssl_client_fingerprint":
      guard let certificate = context.clientCertificates.first else { return call.returnNil() }
      switch name {
      case "ssl_client_raw_cert": call.returns(ClientTLSNamespace.pem(certificate))
      case "ssl_client_escaped_cert":
        call.returns(URLText.escapedComponent(ClientTLSNamespace.pem(certificate).utf8))
      default: call.returns(TextTools.hexadecimal(Insecure.SHA1.hash(data: certificate)))
      }
    case "nginx_version": call.returns("1.27.1")
    case "pipe": call.returns(".")
    case "connection": call.returns(String(context.connectionNumber))
    case "connection_requests": call.returns(String(context.connectionRequests))
    case "request":
      var line = Array("\(context.method.name) ".utf8)
      context.requestHeaders.withArena(context.rawTargetRange) { line += $0 }
      line += Array(" HTTP/\(context.httpVersion / 10).\(context.httpVersion % 10)".utf8)
      call.returns(line)
    case "hostname": call.returns(call.host.node.hostname)
    case "ssl_protocol": call.returns(context.tlsVersion)
    case "ssl_cipher": call.returns(context.tlsCipher)
    case "ssl_server_name": call.returns(context.tlsServerName)
    case "time_iso8601", "msec": call.returns(luaText(of: TextTools.now()))
    default: call.returnNil()
    }
  }

  /// Undecoded value of a query argument, names without regard to case.
  private static func argument(_ name: String, _ call: LuaCall) throws(LuaFault) {
    let wanted = Array(name.lowercased().utf8)
    try RequestNamespace.withQuery(call) { query in
      for part in query.split(separator: UInt8(ascii: "&")) {
        guard let mark = part.firstIndex(of: UInt8(ascii: "=")) else { continue }
        if part[..<mark].map(HeaderArguments.lowered) == wanted {
          return call.returns(Array(part[(mark + 1)...]))
        }
      }
      call.returnNil()
    }
  }

  private static func joined(_ values: [String], _ field: some StringProtocol) -> String? {
    values.isEmpty ? nil : values.joined(separator: field.lowercased() == "cookie" ? "; " : ", ")
  }
}
