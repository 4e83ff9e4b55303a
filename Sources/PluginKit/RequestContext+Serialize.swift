import EntityModel

/// The request as log plugins see it.
///
/// Source: Kong fact, pdk §5 "serialize".
extension RequestContext {
  /// The log entry of the request with the values that plugins have set. Meant for the log phase.
  public func serialized() -> JSONValue {
    var entry: [String: JSONValue] = [:]
    let target = requestHeaders.withArena(rawTargetRange) { String(decoding: $0, as: UTF8.self) }
    entry["request"] = .object(serializedRequest(target))
    entry["upstream_uri"] = .string(serializedUpstreamURI)
    entry["upstream_status"] = .string(response.upstreamStatus.map(String.init) ?? "")
    entry["response"] = .object([
      "status": .integer(Int64(response.status)), "headers": Self.object(of: response.headers, redacting: false),
      "size": .integer(Int64(response.totalSize)),
    ])
    entry["latencies"] = .object(serializedLatencies)
    if !tries.isEmpty || route != nil {
      entry["tries"] = .array(
        tries.map { attempt in
          var members: [String: JSONValue] = [
            "ip": .string(attempt.ip), "port": .integer(Int64(attempt.port)),
            "balancer_start": .integer(attempt.balancerStart),
            "balancer_start_ns": .integer(
              attempt.balancerStart.multipliedReportingOverflow(by: 1_000_000).partialValue),
            "balancer_latency": .integer(Int64(attempt.balancerLatencyNanoseconds / 1_000_000)),
            "balancer_latency_ns": .integer(Int64(clamping: attempt.balancerLatencyNanoseconds)),
          ]
          members["state"] = attempt.state.map { .string($0) }
          members["code"] = attempt.code.map { .integer(Int64($0)) }
          return .object(members)
        })
    }
    if let credential {
      entry["authenticated_entity"] = .object([
        "id": credential["id"] ?? .null, "consumer_id": credential["consumer"]?["id"] ?? .null,
      ])
    }
    entry["route"] = route?.entity
    entry["service"] = service?.entity
    entry["consumer"] = consumer?.entity
    entry["client_ip"] = .string(clientIP)
    entry["started_at"] = .integer(startedAtMilliseconds)
    entry["source"] = .string(response.source == .service ? "upstream" : "kong")
    entry["workspace_name"] = "default"
    entry["workspace"] = "00000000-0000-0000-0000-000000000000"
    var result = JSONValue.object(entry)
    for value in serializeValues { value.apply(to: &result) }
    return result
  }

  private func serializedRequest(_ target: String) -> [String: JSONValue] {
    var query: [String: JSONValue] = [:]
    let raw = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    if raw.count == 2 {
      for part in raw[1].split(separator: "&").prefix(100) {
        let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let name = Self.decoded(pair[0])
        if name.isEmpty { continue }
        let value: JSONValue = pair.count == 2 ? .string(Self.decoded(pair[1])) : .bool(true)
        switch query[name] {
        case nil: query[name] = value
        case .array(let values): query[name] = .array(values + [value])
        case let first?: query[name] = .array([first, value])
        }
      }
    }
    let authority = requestHeaders.first("host").map { $0.prefix { $0 != ":" } }.map(String.init) ?? localIP
    var request: [String: JSONValue] = [
      "id": .string(requestID), "uri": .string(target),
      "url": .string("\(scheme)://\(authority):\(localPort)\(target)"),
      "querystring": .object(query), "method": .string(method.name),
      "headers": Self.object(of: requestHeaders, redacting: true),
      "size": .integer(Int64(requestHeadSize + requestBodySize)),
    ]
    if isTLS {
      request["tls"] = .object([
        "version": tlsVersion.map { .string($0) } ?? .null, "cipher": tlsCipher.map { .string($0) } ?? .null,
        "client_verify": "NONE",
      ])
    }
    return request
  }

  private var serializedUpstreamURI: String {
    var uri = String(decoding: upstream.path, as: UTF8.self)
    let query =
      queryOverride.map { String(decoding: $0, as: UTF8.self) }
      ?? withRawQuery { $0.map { String(decoding: $0, as: UTF8.self) } ?? "" }
    if !query.isEmpty { uri += "?" + query }
    return uri
  }

  private var serializedLatencies: [String: JSONValue] {
    func milliseconds(_ from: UInt64, _ to: UInt64) -> Int64 { to > from ? Int64((to - from) / 1_000_000) : 0 }
    let total = milliseconds(startedAt, endedAt)
    let isProxied = upstreamRespondedAt > 0 && accessEndedAt > 0
    let proxy = isProxied ? milliseconds(accessEndedAt, upstreamRespondedAt) : -1
    let receive = isProxied ? milliseconds(upstreamRespondedAt, endedAt) : 0
    return [
      "request": .integer(total), "proxy": .integer(proxy), "kong": .integer(max(0, total - max(0, proxy) - receive)),
      "receive": .integer(receive), "client": .integer(0), "third_party": .integer(0),
    ]
  }

  private static func decoded(_ text: Substring) -> String {
    let text = text.replacing("+", with: " ")
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), rest.count >= 2,
        let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16)
      {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func object(of headers: HeaderBlock, redacting: Bool) -> JSONValue {
    var members: [String: JSONValue] = [:]
    for index in 0..<headers.count {
      let name = headers.name(at: index).lowercased()
      let isSecret = redacting && (name == "authorization" || name == "proxy-authorization")
      let value = JSONValue.string(isSecret ? "REDACTED" : headers.value(at: index))
      switch members[name] {
      case nil: members[name] = value
      case .array(let values): members[name] = .array(values + [value])
      case let first?: members[name] = .array([first, value])
      }
    }
    return .object(members)
  }
}

extension SerializeValue {
  /// Sets, adds or replaces the value in a log entry; dots of the key nest, `\.` is a dot.
  func apply(to entry: inout JSONValue) {
    var parts: [String] = [""]
    var isEscaped = false
    for character in key {
      if character == "\\", !isEscaped {
        isEscaped = true
        continue
      }
      if character == ".", !isEscaped {
        parts.append("")
      } else {
        parts[parts.count - 1].append(character)
      }
      isEscaped = false
    }
    guard parts.count <= 32 else { return }
    apply(parts[...], to: &entry)
  }

  private func apply(_ path: ArraySlice<String>, to node: inout JSONValue) {
    guard case .object(var members) = node, let name = path.first else { return }
    if path.count > 1 {
      var child = members[name] ?? .object([:])
      if members[name] == nil, mode == .replace || value == nil { return }
      apply(path.dropFirst(), to: &child)
      members[name] = child
    } else {
      switch mode {
      case .set: members[name] = value
      case .add: if members[name] == nil { members[name] = value }
      case .replace: if members[name] != nil { members[name] = value }
      }
    }
    node = .object(members)
  }
}
