import EntityModel

/// A node of the graph: one of the configuration, or one that is there without being declared.
struct DatakitNode: Sendable {
  let name: String
  let type: String
  /// Position in the configuration, from 0; nil for an implicit node.
  let position: Int?
  /// The configuration of the node.
  let config: JSONValue
  let inputs: DatakitPorts
  let outputs: DatakitPorts

  /// As messages call it.
  var title: String { position.map { "node #\($0 + 1) (\(name))" } ?? "node \(name)" }

  /// Names that nodes of the configuration may not have.
  static let reservedNames: Set<String> = ["request", "service_request", "service_response", "response", "vault"]

  private static let message = [DatakitPort("body", .any), DatakitPort("headers", .map)]

  /// The implicit nodes. Source: Kong fact, bundled-16 §7.
  static func implicit(secrets: [String]) -> [DatakitNode] {
    func node(_ name: String, inputs: DatakitPorts = .none, outputs: DatakitPorts = .none) -> DatakitNode {
      DatakitNode(name: name, type: name, position: nil, config: .null, inputs: inputs, outputs: outputs)
    }
    var nodes = [
      node(
        "request",
        outputs: .fields(
          message + [
            .init("query", .map), .init("path", .string), .init("raw_path", .string), .init("port", .number),
            .init("method", .string), .init("scheme", .string), .init("version", .string),
          ])),
      node("service_request", inputs: .fields(message + [.init("query", .map)])),
      node(
        "service_response", outputs: .fields(message + [.init("status", .number), .init("raw_body", .string)])),
      node("response", inputs: .fields(message)),
    ]
    if !secrets.isEmpty { nodes.append(node("vault", outputs: .constants(secrets.map { .init($0, .string) }))) }
    return nodes
  }

  /// A node of the configuration; its fields are known to be good one by one.
  init(_ config: JSONValue, position: Int) {
    let type = config["type"]?.string ?? ""
    self.type = type
    self.position = position
    self.config = config
    name = config["name"]?.string ?? "node-\(position + 1)"
    switch type {
    case "branch": (inputs, outputs) = (.value(.boolean), .none)
    case "cache":
      inputs = .fields([.init("key", .string), .init("ttl", .number), .init("data", .any)])
      outputs = .fields([
        .init("hit", .boolean), .init("miss", .boolean), .init("stored", .boolean), .init("data", .any),
      ])
    case "call":
      inputs = .fields(
        Self.message + [
          .init("query", .map), .init("url", .string), .init("http_proxy", .string), .init("https_proxy", .string),
          .init("proxy_auth_username", .string), .init("proxy_auth_password", .string),
        ])
      outputs = .fields(Self.message + [.init("status", .number), .init("raw_body", .string)])
    case "exit": (inputs, outputs) = (.fields(Self.message), .none)
    case "jq": (inputs, outputs) = (.free, .value(.any))
    case "jwt_decode":
      inputs = .value(.string)
      outputs = .fields([.init("header", .map), .init("payload", .map), .init("signature", .string)])
    case "jwt_sign":
      inputs = .fields([.init("claims", .map), .init("key", .any)])
      outputs = .fields([.init("token", .string), .init("claims", .map), .init("header", .map)])
    case "jwt_verify":
      inputs = .fields([.init("token", .string), .init("key", .any)])
      outputs = .fields([.init("claims", .map), .init("header", .map)])
    case "property": (inputs, outputs) = (.value(.any), .value(.any))
    case "static":
      inputs = .none
      outputs = .constants(
        (config["values"]?.object ?? [:]).sorted { $0.key < $1.key }.map { .init($0.key, Self.type(of: $0.value)) })
    default: (inputs, outputs) = (.none, .none)
    }
  }

  private init(
    name: String, type: String, position: Int?, config: JSONValue, inputs: DatakitPorts, outputs: DatakitPorts
  ) {
    self.name = name
    self.type = type
    self.position = position
    self.config = config
    self.inputs = inputs
    self.outputs = outputs
  }

  private static func type(of value: JSONValue) -> DatakitType {
    switch value {
    case .string: .string
    case .integer, .number: .number
    case .bool: .boolean
    case .object: .map
    case .array, .null: .any
    }
  }
}
