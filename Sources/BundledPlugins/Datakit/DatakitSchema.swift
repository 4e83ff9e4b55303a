import EntityModel
import JQ

/// The fields of the nodes and of what they share. Source: the 3.15 schema; Kong fact, bundled-16 §7.
enum DatakitSchema {
  static let nodes = VariantSchema(
    key: "type",
    [
      variant(
        "branch", input: true, inputs: nil, output: true, outputs: .named(["then", "else"]),
        [
          "then": branchList("Nodes that run if the input is true."),
          "else": branchList("Nodes that run if the input is false."),
        ]),
      variant(
        "cache", input: true, inputs: .named(["data", "key", "ttl"]), output: true,
        outputs: .named(["data", "hit", "miss", "stored"]),
        [
          "ttl": FieldSchema.integer.checked(by: .between(0, 100_000_000))
            .described("Seconds that data is kept, if the input says nothing; for ever without either."),
          "bypass_on_error": FieldSchema.boolean.described("Whether the graph goes on when the cache fails."),
        ]),
      variant(
        "call", input: true, inputs: .named(callInputs), output: true,
        outputs: .named(["body", "headers", "raw_body", "status"]),
        [
          "url": CommonFields.url.described("Where the request goes if the input says nothing."),
          "method": CommonFields.httpMethod.defaulting(to: "GET").checked(by: .lengthAtMost(32))
            .described("Method of the request."),
          "timeout": CommonFields.timeout.described("Time for the whole exchange, in milliseconds."),
          "ssl_verify": FieldSchema.boolean.defaulting(to: true)
            .described("Whether the server's certificate is verified."),
          "ssl_server_name": CommonFields.sni.checked(
            by: .custom("unavailable") { _ in
              "another server name than the host of the URL is not available yet: name the server by its own host"
            }
          ).described("Server name for TLS; refused, the host of the URL is used."),
        ]),
      variant(
        "exit", input: true, inputs: .named(["body", "headers"]), output: false, outputs: nil,
        [
          "status": FieldSchema.integer.defaulting(to: 200).checked(by: .between(200, 599))
            .described("Status of the answer."),
          "warn_headers_sent": FieldSchema.boolean
            .described("Whether a warning is logged when the answer comes too late; here it never does."),
        ]),
      variant(
        "jq", input: true, inputs: .free, output: true, outputs: nil,
        [
          "jq": FieldSchema.string.asRequired().checked(
            by: .lengthAtMost(10240),
            .custom("jq") { value in
              guard let source = value.string else { return nil }
              do {
                _ = try JQProgram.compiled(source)
                return nil
              } catch {
                return "invalid jq program: \(error)"
              }
            }
          ).described("The program. Its first result counts.")
        ]),
      variant(
        "jwt_decode", input: true, inputs: nil, output: true,
        outputs: .named(["header", "payload", "signature"]), [:]),
      variant(
        "jwt_sign", input: true, inputs: .named(["claims", "key"]), output: true,
        outputs: .named(["claims", "header", "token"]),
        [
          "algorithm": FieldSchema.string.asRequired().checked(by: .oneOf(algorithms))
            .described("Algorithm of the signature."),
          "expires_in": FieldSchema.integer.defaulting(to: 300).checked(by: .between(0, 2_147_483_647))
            .described("Seconds that the token is valid."),
          "not_before": FieldSchema.integer.defaulting(to: 0).checked(by: .between(-2_147_483_648, 2_147_483_647))
            .described("Seconds after which the token becomes valid."),
          "static_claims": FieldSchema.map(.string, .string).defaulting(to: [:])
            .described("Claims of every token, unless the input has them."),
          "kid": FieldSchema.string.described("Name of the key in the header."),
          "typ": FieldSchema.string.defaulting(to: "JWT").described("Type in the header."),
        ]),
      variant(
        "jwt_verify", input: true, inputs: .named(["key", "token"]), output: true,
        outputs: .named(["claims", "header"]),
        [
          "allowed_algorithms": FieldSchema.array(of: .string.checked(by: .oneOf(algorithms))).defaulting(to: [])
            .described("Algorithms that signatures may have; all that fit the key if empty."),
          "audiences": strings("Audiences of which the token must have one; any if empty."),
          "issuers": strings("Issuers of which one must have made the token; any if empty."),
          "leeway": FieldSchema.integer.defaulting(to: 0).checked(by: .between(0, 2_147_483_647))
            .described("Seconds by which clocks may differ."),
          "required_claims": strings("Claims that the token must have."),
          "validate_exp": FieldSchema.boolean.defaulting(to: true)
            .described("Whether a token that has expired is refused."),
          "validate_nbf": FieldSchema.boolean.defaulting(to: true)
            .described("Whether a token that is not valid yet is refused."),
        ]),
      variant(
        "property", input: true, inputs: nil, output: true, outputs: nil,
        [
          "property": FieldSchema.string.asRequired().checked(by: .lengthAtMost(255))
            .described("What is read, or written if the node has an input."),
          "content_type": FieldSchema.string.checked(
            by: .oneOf(["application/json", "application/octet-stream", "text/plain"])
          ).described("How the value is held: JSON is read when it is got and written when it is set."),
          "non_nil": PluginFields.flag(false, "Whether a value that is not there is an error."),
        ]),
      variant(
        "static", input: false, inputs: nil, output: true, outputs: .free,
        [
          "values": FieldSchema.json.asRequired().checked(
            by: .custom("values") { value in
              switch value {
              case .object, .array([]): nil
              default: "expected a map"
              }
            }
          ).described("The values, one output each.")
        ]),
      refused("json_to_xml"), refused("xml_to_json"),
    ])

  private static let algorithms = SignatureAlgorithm.allCases.map { JSONValue.string($0.rawValue) }

  private static func strings(_ description: String) -> FieldSchema {
    FieldSchema.array(of: .string).defaulting(to: []).described(description)
  }

  private static let callInputs = [
    "body", "headers", "http_proxy", "https_proxy", "proxy_auth_password", "proxy_auth_username", "query", "url",
  ]

  static let resources = FieldSchema.record(
    RecordSchema([
      "cache": FieldSchema.record(
        RecordSchema([
          "strategy": FieldSchema.string.asRequired().checked(
            by: .oneOf(["memory", "redis"]),
            .custom("unavailable") { value in
              value == "redis" ? "the strategy 'redis' is not available yet; use 'memory'" : nil
            }
          ).described("Where cached data is held; redis is refused."),
          "memory": FieldSchema.record(
            RecordSchema([
              "dictionary_name": FieldSchema.string.asRequired().defaulting(to: "kong_db_cache").checked(
                by: .custom("unavailable") { value in
                  value == "kong_db_cache" ? nil : "there is one dictionary only: kong_db_cache"
                }
              ).described("The dictionary that holds the data.")
            ])
          ).asRequired(),
          "redis": .json.described("Settings of the strategy that is not available."),
        ])
      ).described("The store of the cache nodes."),
      "vault": FieldSchema.map(
        .string, .string.asReferenceable().checked(by: .lengthAtMost(4095))
      ).checked(by: .lengthAtLeast(1), .lengthAtMost(64), .custom("unavailable", DatakitVault.violation))
        .described("Secrets by name, as references; only those of the environment (`{vault://env/…}`) are available."),
    ])
  ).described("What nodes share.")

  // MARK: Building

  private enum Labels {
    /// Of these fields only.
    case named([String])
    case free
  }

  private static let label = FieldSchema.string.checked(by: .lengthAtMost(255))

  private static let name = label.checked(
    by: .custom("node_name") { value in
      guard let text = value.string else { return nil }
      let isGood = text.utf8.allSatisfy { byte in
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "_")
          || byte == UInt8(ascii: "-")
      }
      return isGood ? nil : "invalid node name '\(text)': it may have letters, digits, hyphens and underscores only"
    }
  ).described("What other nodes call the node.")

  private static func branchList(_ description: String) -> FieldSchema {
    FieldSchema.array(of: label).checked(by: .lengthAtLeast(1), .lengthAtMost(DatakitGraph.maximumNodes))
      .described(description)
  }

  private static func field(_ labels: Labels, _ description: String) -> FieldSchema {
    switch labels {
    case .free: FieldSchema.map(label, label).described(description)
    case .named(let names): FieldSchema.record(RecordSchema(names.map { .init($0, label) })).described(description)
    }
  }

  private static func variant(
    _ type: String, input: Bool, inputs: Labels?, output: Bool, outputs: Labels?,
    _ own: KeyValuePairs<String, FieldSchema>
  ) -> VariantSchema.Variant {
    var fields: [RecordSchema.NamedField] = [
      .init("type", FieldSchema.string.asRequired().checked(by: .oneOf([.string(type)])).described("Kind of node.")),
      .init("name", name),
    ]
    if input { fields.append(.init("input", label.described("The node, or its output, that feeds this node."))) }
    if let inputs { fields.append(.init("inputs", field(inputs, "What feeds each input."))) }
    if output { fields.append(.init("output", label.described("The node, or its input, that this node feeds."))) }
    if let outputs { fields.append(.init("outputs", field(outputs, "What each output feeds."))) }
    fields += own.map { .init($0.key, $0.value) }
    return .init(type, RecordSchema(fields))
  }

  /// A kind of node of Kong's that is not available.
  private static func refused(_ type: String) -> VariantSchema.Variant {
    .init(
      type,
      RecordSchema([
        "type": FieldSchema.string.asRequired().checked(
          by: .custom("unavailable") { _ in "nodes of the type '\(type)' are not available yet" }),
        "name": name,
      ]))
  }
}
