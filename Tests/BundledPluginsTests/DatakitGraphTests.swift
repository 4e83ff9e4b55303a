import EntityModel
import Testing

@testable import BundledPlugins

/// What is said of graphs when they are saved.
@Suite struct DatakitGraphTests {
  /// The violations of a configuration under `config`.
  private func violations(_ config: JSONValue) throws -> JSONValue? {
    do {
      _ = try PluginTestBed.validated(Datakit.definition, config)
      return nil
    } catch let error as SchemaViolations {
      return JSONValue.object(error.document)["config"]
    }
  }

  private func nodes(_ nodes: JSONValue) throws -> JSONValue? {
    try violations(["nodes": nodes]).map { $0["nodes"] ?? $0 }
  }

  // MARK: Fields

  @Test("a list of nodes is required, of at most 64")
  func listOfNodes() throws {
    #expect(try violations([:]) == ["nodes": "required field missing"])
    #expect(try nodes([]) == "length must be at least 1")
    let many = JSONValue.array((0..<65).map { _ in ["type": "static", "values": ["a": 1]] })
    #expect(try nodes(many) == "length must be at most 64")
    let enough = JSONValue.array((0..<64).map { _ in ["type": "static", "values": ["a": 1]] })
    #expect(try nodes(enough) == nil)
  }

  @Test("the type of a node decides which fields it has")
  func types() throws {
    #expect(try nodes([["name": "A"]]) == [["type": "required field missing"]])
    #expect(try nodes([["type": 3]]) == [["type": "expected a string"]])
    let unknown = try nodes([["type": "nothing"]])
    #expect(unknown?.array?.first?["type"]?.string?.hasPrefix("expected one of: branch, cache, call") == true)
    #expect(try nodes([["type": "static", "values": ["a": 1], "jq": "."]]) == [["jq": "unknown field"]])
    #expect(try nodes([["type": "jq"]]) == [["jq": "required field missing"]])
    #expect(try nodes([["type": "jq", "jq": ".", "outputs": ["a": "B"]]]) == [["outputs": "unknown field"]])
    #expect(try nodes([["type": "exit", "status": 199]]) == [["status": "value should be between 200 and 599"]])
    #expect(
      try nodes([["type": "call", "url": "http://a/", "method": "get"]]) == [["method": "invalid value: get"]])
    // Fields of other types that are null are overlooked: clients fill them in.
    #expect(try nodes([["type": "exit", "jq": nil, "url": nil]]) == nil)
  }

  @Test("defaults are those of the node's type")
  func defaults() throws {
    let entity = try PluginTestBed.validated(
      Datakit.definition,
      [
        "nodes": [
          ["type": "call", "name": "A", "url": "http://a/"], ["type": "exit"],
          ["type": "property", "property": "kong.version"],
        ]
      ])
    let nodes = entity["config"]?["nodes"]?.array ?? []
    #expect(nodes[0]["method"] == "GET")
    #expect(nodes[0]["ssl_verify"] == true)
    #expect(nodes[0]["timeout"] == .null)
    #expect(nodes[0]["status"] == nil)
    #expect(nodes[1]["status"] == 200)
    #expect(nodes[2]["non_nil"] == false)
    #expect(entity["config"]?["debug"] == false)
  }

  @Test("names are unique, not those of implicit nodes, and plain")
  func names() throws {
    #expect(
      try nodes([["type": "exit", "name": "A"], ["type": "jq", "jq": ".", "name": "A"]])
        == [nil, ["name": "the name 'A' is taken by node #1 (A)"]])
    #expect(
      try nodes([["type": "exit", "name": "request"]])
        == [["name": "the name 'request' is reserved for an implicit node"]])
    #expect(
      try nodes([["type": "exit", "name": "a.b"]])?.array?.first?["name"]?.string?.contains("invalid node name") == true
    )
  }

  @Test("a program that does not compile is refused with libjq's message")
  func programs() throws {
    let message = try nodes([["type": "static", "values": ["a": 1]], ["type": "jq", "jq": ".a | nope"]])
    #expect(
      message?.array?.last?["jq"]?.string
        == "invalid jq program: jq: error: nope/0 is not defined at <top-level>, line 1:\n.a | nope")
  }

  // MARK: Connections

  private static let foo: JSONValue = ["type": "property", "name": "GET_FOO", "property": "kong.ctx.shared.foo"]

  private func property(_ name: String, output: String) -> JSONValue {
    [
      "type": "property", "name": .string(name), "property": .string("kong.ctx.shared.\(name)"),
      "output": .string(output),
    ]
  }

  @Test("an input has one source")
  func conflicts() throws {
    #expect(
      try nodes([
        property("GET_FOO", output: "FILTER"), property("GET_BAR", output: "FILTER"),
        ["type": "jq", "name": "FILTER", "jq": "."],
      ]) == [
        nil,
        [
          "output":
            .string(
              "invalid connection (\"GET_BAR\" -> \"FILTER\"): "
                + "conflicts with existing connection (\"GET_FOO\" -> \"FILTER\")")
        ],
      ])
    #expect(
      try nodes([property("get-foo", output: "response"), property("get-bar", output: "response.body")]) == [
        nil,
        [
          "output":
            .string(
              "invalid connection (\"get-bar\" -> \"response.body\"): "
                + "conflicts with existing connection (\"get-foo\" -> \"response.body\")")
        ],
      ])
    #expect(
      try nodes([property("a", output: "response.body"), property("b", output: "response")])?.array?.last?["output"]
        == "invalid connection (\"b\" -> \"response\"): conflicts with existing connection (\"a\" -> \"response\")")
  }

  @Test("both ends may declare the same connection")
  func declaredTwice() throws {
    #expect(
      try nodes([
        property("A", output: "FILTER"), ["type": "jq", "name": "FILTER", "jq": ".", "input": "A"],
      ]) == nil)
  }

  private static let misfits: [(String, JSONValue, String)] = [
    (
      "call", ["type": "call", "name": "call", "url": "http://a/", "output": "service_request.headers"] as JSONValue,
      "invalid connection (\"call\" -> \"service_request.headers\"): type mismatch: object -> map"
    ),
    (
      "call.status", ["type": "call", "name": "call", "url": "http://a/", "outputs": ["status": "response.headers"]],
      "invalid connection (\"call.status\" -> \"response.headers\"): type mismatch: number -> map"
    ),
    (
      "static", ["type": "static", "name": "S", "values": ["headers": "oops"], "output": "response"],
      "invalid connection (\"S.headers\" -> \"response.headers\"): type mismatch: string -> map"
    ),
    (
      "no common fields", ["type": "static", "name": "S", "values": ["other": 1], "output": "response"],
      "invalid connection (\"S\" -> \"response\"): the nodes have no fields in common"
    ),
    (
      "map to object", ["type": "exit", "name": "E", "input": "request.headers"],
      "invalid connection (\"request.headers\" -> \"E\"): type mismatch: map -> object"
    ),
  ]

  @Test("types that cannot fit are refused", arguments: misfits)
  func mismatches(name: String, node: JSONValue, message: String) throws {
    let found = try nodes([node])?.array?.first
    let texts = [found?["output"], found?["outputs"]?["status"], found?["input"]].compactMap { $0?.string }
    #expect(texts == [message])
  }

  @Test("unknown nodes and fields are named")
  func unknownLabels() throws {
    #expect(
      try nodes([["type": "jq", "name": "J", "jq": ".", "inputs": ["a": "MISSING"]]])
        == [["inputs": ["a": "invalid connection (\"MISSING\" -> \"J.a\"): unknown node: \"MISSING\""]]])
    #expect(
      try nodes([["type": "jq", "name": "J", "jq": ".", "input": "request.nothing"]])
        == [
          ["input": "invalid connection (\"request.nothing\" -> \"J\"): node \"request\" has no output \"nothing\""]
        ])
    #expect(
      try nodes([["type": "jq", "name": "J", "jq": ".", "input": "service_request"]])
        == [["input": "invalid connection (\"service_request\" -> \"J\"): node \"service_request\" has no outputs"]])
    #expect(
      try nodes([["type": "jq", "name": "J", "jq": ".", "output": "response.trailers"]])
        == [
          ["output": "invalid connection (\"J\" -> \"response.trailers\"): node \"response\" has no input \"trailers\""]
        ])
    #expect(
      try nodes([
        ["type": "jq", "name": "J", "jq": ".", "input": "P.x"],
        ["type": "property", "name": "P", "property": "kong.version"],
      ])
        == [["input": "invalid connection (\"P.x\" -> \"J\"): the output of node \"P\" does not allow field access"]])
    #expect(
      try nodes([
        ["type": "jq", "name": "J", "jq": ".", "output": "S"], ["type": "static", "name": "S", "values": [:]],
      ])
        == [["output": "invalid connection (\"J\" -> \"S\"): node \"S\" has no inputs"]])
    #expect(
      try nodes([["type": "jq", "name": "J", "jq": ".", "input": "vault.secret"]])
        == [
          ["input": "invalid connection (\"vault.secret\" -> \"J\"): there are no secrets: resources.vault is not set"]
        ])
  }

  @Test("static values feed whole inputs and maps")
  func constants() throws {
    #expect(
      try nodes([
        ["type": "static", "name": "HEADERS", "values": ["X-Common": "yes"]],
        ["type": "call", "url": "http://a/", "inputs": ["headers": "HEADERS", "body": "HEADERS"]],
      ]) == nil)
  }

  // MARK: Order

  @Test("nodes that wait for one another are refused")
  func cycles() throws {
    #expect(
      try nodes([
        ["type": "jq", "name": "X", "jq": ".", "input": "Y"], ["type": "jq", "name": "Y", "jq": ".", "input": "X"],
      ]) == [nil, "invalid dependency (node #2 (Y) -> node #1 (X)): circular dependency"])
    #expect(
      try nodes([["type": "jq", "name": "X", "jq": ".", "inputs": ["a": "X"]]])
        == ["invalid dependency (node #1 (X) -> node #1 (X)): circular dependency"])
    // What goes to the service cannot come of its answer.
    let late = try nodes([
      ["type": "jq", "name": "X", "jq": ".", "input": "service_response.body", "output": "service_request.body"]
    ])
    #expect(late?.array?.first?.string?.hasSuffix("circular dependency") == true)
  }

  @Test("a program may wait for the service's response if nothing before it needs it")
  func afterResponse() throws {
    #expect(
      try nodes([
        [
          "type": "call", "name": "C", "url": "http://a/", "method": "POST",
          "inputs": ["body": "service_response.body"],
        ],
        ["type": "jq", "name": "J", "jq": ".", "input": "C.body", "output": "response.body"],
      ]) == nil)
  }

  // MARK: Single nodes

  @Test("branches name explicit nodes, each once, and have a condition")
  func branches() throws {
    let condition: JSONValue = ["type": "jq", "name": "IF", "jq": "true"]
    #expect(
      try nodes([condition, ["type": "branch", "name": "B", "input": "IF", "then": ["X"]]])
        == [nil, ["then": "unknown node: \"X\""]])
    #expect(
      try nodes([condition, ["type": "branch", "name": "B", "input": "IF", "then": ["request"]]])
        == [nil, ["then": "an implicit node cannot be part of a branch: \"request\""]])
    #expect(
      try nodes([condition, ["type": "branch", "name": "B", "input": "IF", "then": ["B"]]])
        == [nil, ["then": "a branch cannot be part of itself"]])
    #expect(
      try nodes([condition, ["type": "branch", "name": "B", "input": "IF", "then": ["IF"]]])?.array?.last?.string
        == "invalid dependency (node #2 (B) -> node #1 (IF)): circular dependency")
    #expect(
      try nodes([
        condition, ["type": "exit", "name": "E"],
        ["type": "branch", "name": "B", "input": "IF", "then": ["E"], "else": ["E"]],
      ]) == [nil, nil, ["else": "node \"E\" is already part of node #3 (B)"]])
    #expect(
      try nodes([["type": "exit", "name": "E"], ["type": "branch", "then": ["E"]]])
        == [nil, ["input": "required field missing"]])
    #expect(
      try nodes([condition, ["type": "branch", "input": "IF"]])
        == [nil, ["then": "at least one of these fields must be non-empty: 'then', 'else'"]])
    #expect(
      try nodes([condition, ["type": "branch", "input": "IF", "then": []]])
        == [nil, ["then": "length must be at least 1"]])
  }

  @Test("nodes say what they cannot do without")
  func needs() throws {
    #expect(try nodes([["type": "call"]]) == [["url": "required field missing"]])
    #expect(
      try nodes([["type": "call", "inputs": ["url": "J"]], ["type": "jq", "name": "J", "jq": "\"http://a/\""]]) == nil)
    #expect(try nodes([["type": "jwt_decode"]]) == [["input": "required field missing"]])
    let key: JSONValue = ["type": "static", "name": "K", "values": ["key": "k"]]
    #expect(try nodes([key, ["type": "cache", "input": "K"]]) == [nil, "a cache node needs resources.cache"])
    #expect(
      try violations([
        "nodes": [key, ["type": "cache", "input": "K"]], "resources": ["cache": ["strategy": "memory"]],
      ])
        == nil)
    #expect(
      try violations(["nodes": [["type": "cache"]], "resources": ["cache": ["strategy": "memory"]]])
        == ["nodes": [["inputs": ["key": "required field missing"]]]])
  }

  @Test(
    "properties are known, and read or written as they may be",
    arguments: [
      ("kong.client.ip", false, nil), ("kong.client.ip", true, "property 'kong.client.ip' cannot be set"),
      ("kong.service.target", true, nil),
      ("kong.service.target", false, "property 'kong.service.target' can only be set: connect an input"),
      ("kong.ctx.shared.a", true, nil), ("kong.ctx.plugin.a", false, nil),
      ("kong.ctx.shared.", false, "unknown property: 'kong.ctx.shared.'"),
      ("kong.request.body", false, "unknown property: 'kong.request.body'"),
      ("kong.configuration.log_level", true, "property 'kong.configuration.log_level' cannot be set"),
      (
        "kong.node.memory_stats", false,
        "property 'kong.node.memory_stats' is not available: this gateway has no such statistics"
      ),
    ])
  func properties(name: String, isSet: Bool, message: String?) throws {
    var node: [String: JSONValue] = ["type": "property", "property": .string(name)]
    if isSet { node["input"] = "J" }
    let found = try nodes([.object(node), ["type": "jq", "name": "J", "jq": "."]])
    #expect(found == message.map { [["property": .string($0)]] })
  }

  @Test("what is not available is refused with a sentence")
  func refusals() throws {
    let exit: JSONValue = ["type": "exit"]
    for type in ["xml_to_json", "json_to_xml"] {
      #expect(
        try nodes([["type": .string(type)]])
          == [["type": .string("nodes of the type '\(type)' are not available yet")]])
    }
    #expect(
      try violations(["nodes": [exit], "resources": ["cache": ["strategy": "redis"]]])
        == ["resources": ["cache": ["strategy": "the strategy 'redis' is not available yet; use 'memory'"]]])
    #expect(
      try violations(["nodes": [exit], "resources": ["vault": ["a": "{vault://aws/secret}"]]])?["resources"]?["vault"]?
        .string?.hasPrefix("a: only references to the environment") == true)
    #expect(
      try violations(["nodes": [exit], "resources": ["vault": ["a": "{vault://env/kong-pg-password}"]]]) != nil,
      "settings of the gateway are secrets of the operator")
    #expect(
      try nodes([["type": "call", "url": "https://a/", "ssl_server_name": "b"]])?.array?.first?["ssl_server_name"]?
        .string?.hasPrefix("another server name") == true)
  }

  // MARK: Plan

  private func plan(_ nodes: JSONValue) throws -> DatakitPlan {
    let config = try PluginTestBed.validated(Datakit.definition, ["nodes": nodes])["config"] ?? .null
    return try DatakitPlan(graph: DatakitGraph(config: config), config: config)
  }

  @Test("a plan knows who waits for whom, whatever the order of the configuration")
  func dependencies() throws {
    let plan = try plan([
      ["type": "jq", "name": "LAST", "jq": ".", "inputs": ["a": "A", "b": "B"]],
      ["type": "jq", "name": "A", "jq": ".", "input": "request.body"],
      ["type": "jq", "name": "B", "jq": ".", "input": "A"],
    ])
    #expect(plan.nodes.map(\.name) == ["request", "LAST", "A", "B"])
    #expect(plan.nodes.map(\.dependencyCount) == [0, 2, 1, 1])
    #expect(plan.nodes.map(\.dependents) == [[2], [], [1, 3], [1]])
    #expect(plan.first == [0])
    #expect(!plan.hasNodesAfterResponse)
  }

  @Test("implicit nodes that nobody uses are not part of the plan")
  func unusedImplicitNodes() throws {
    let plan = try plan([["type": "exit", "name": "E"]])
    #expect(plan.nodes.map(\.name) == ["E"])
    #expect(try self.plan([["type": "jq", "jq": ".", "output": "response.body"]]).hasNodesAfterResponse)
  }

  @Test("objects connect field by field")
  func objects() throws {
    let plan = try plan([
      ["type": "call", "name": "C", "url": "http://a/", "input": "request", "output": "service_request"]
    ])
    let call = try #require(plan.nodes.first { $0.name == "C" })
    guard case .fields(let inputs) = call.inputs else {
      Issue.record("the call has no fields")
      return
    }
    #expect(inputs.map { $0 != nil } == [true, true, true, false, false, false, false, false])
    let service = try #require(plan.nodes.first { $0.name == "service_request" })
    guard case .fields(let outputs) = service.inputs else {
      Issue.record("the service request has no fields")
      return
    }
    #expect(outputs.map { $0 != nil } == [true, true, false])
  }

  @Test("the schema shows the fields of all nodes, without defaults that hold for some only")
  func schemaDocument() {
    func field(_ name: String, of record: JSONValue?) -> JSONValue? {
      (record?["fields"]?.array ?? []).compactMap { $0[name] }.first
    }
    let nodes = field("nodes", of: field("config", of: Datakit.schema.document()))
    let elements = nodes?["elements"]?["fields"]?.array ?? []
    let names = elements.compactMap { $0.object?.keys.first }
    #expect(names.contains("jq") && names.contains("url") && names.contains("values"))
    #expect(names.filter { $0 == "type" }.count == 1)
    #expect(elements.compactMap { $0["method"] }.first?["default"] == nil)
  }
}
