import EntityModel
import JQ

/// A graph in the form in which requests run it: nodes, outputs and inputs by index.
struct DatakitPlan: Sendable {
  /// A place among the outputs of all nodes.
  typealias Slot = Int

  enum Source: Sendable {
    case slot(Slot)
    /// An object of these outputs.
    case object([(name: String, slot: Slot)])
  }

  struct Input: Sendable {
    let source: Source
    let type: DatakitType
  }

  enum Inputs: Sendable {
    case none
    /// One value.
    case value(Input)
    /// Values by position; nil where nothing is connected.
    case fields([Input?])
    /// One object whose members are the values, by position.
    case spread(Input, [DatakitPort])
    /// An object made of these: inputs of jq.
    case gathered([(name: String, input: Input)])
  }

  struct Node: Sendable {
    let name: String
    let type: String
    /// From 1; nil for an implicit node.
    let position: Int?
    let inputs: Inputs
    let inputNames: [String]
    let firstOutput: Slot
    let outputNames: [String]
    /// Nodes that wait for this one.
    let dependents: [Int]
    let dependencyCount: Int
    let isAfterResponse: Bool
    let operation: DatakitOperation
  }

  let nodes: [Node]
  let slotCount: Int
  /// Nodes without dependencies, in the order in which they begin.
  let first: [Int]
  /// What each branch decides about.
  let hasNodesBeforeResponse: Bool
  let hasNodesAfterResponse: Bool
  /// Whether failures are told to clients.
  let isDebugging: Bool

  /// - Throws: `DatakitGraphError`, also for a program that libjq does not compile.
  init(graph: DatakitGraph, config: JSONValue) throws(DatakitGraphError) {
    // Implicit nodes that nothing is connected to are left out.
    var isUsed = graph.nodes.map { $0.position != nil }
    for feed in graph.feeds {
      if let whole = feed.whole { isUsed[whole.node] = true }
      for source in feed.fields.values { isUsed[source.node] = true }
    }
    for (index, feed) in graph.feeds.enumerated() where feed.whole != nil || !feed.fields.isEmpty {
      isUsed[index] = true
    }
    let kept = graph.order.filter { isUsed[$0] }.sorted { left, right in
      // Nodes of the configuration in its order; the implicit ones that are read come first.
      Self.rank(graph.nodes[left]) < Self.rank(graph.nodes[right])
    }
    let places = Dictionary(kept.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
    var firstOutputs: [Int: Slot] = [:]
    var slots = 0
    for index in kept {
      firstOutputs[index] = slots
      slots += Self.outputNames(graph.nodes[index]).count
    }

    func slot(_ node: Int, _ field: String?) -> Slot {
      let base = firstOutputs[node] ?? 0
      guard let field, let offset = Self.outputNames(graph.nodes[node]).firstIndex(of: field) else { return base }
      return base + offset
    }
    func input(_ source: DatakitGraph.Source, _ type: DatakitType) -> Input {
      switch source {
      case .output(let node, let field): Input(source: .slot(slot(node, field)), type: type)
      case .everything(let node):
        Input(
          source: .object(Self.outputNames(graph.nodes[node]).map { ($0, slot(node, $0)) }), type: type)
      }
    }
    func inputs(_ index: Int) -> Inputs {
      let feed = graph.feeds[index]
      switch graph.nodes[index].inputs {
      case .none, .constants: return .none
      case .value(let type): return feed.whole.map { .value(input($0, type)) } ?? .none
      case .free:
        if let whole = feed.whole { return .value(input(whole, .any)) }
        if feed.fields.isEmpty { return .none }
        return .gathered(feed.fields.sorted { $0.key < $1.key }.map { ($0.key, input($0.value, .any)) })
      case .fields(let ports):
        if let whole = feed.whole { return .spread(input(whole, .map), ports) }
        return .fields(ports.map { port in feed.fields[port.name].map { input($0, port.type) } })
      }
    }

    // Outputs of implicit nodes are made only if somebody takes them.
    var takenSlots: Set<Slot> = []
    func take(_ input: Input?) {
      switch input?.source {
      case .slot(let slot)?: takenSlots.insert(slot)
      case .object(let members)?: takenSlots.formUnion(members.map(\.slot))
      case nil: break
      }
    }
    for index in kept {
      switch inputs(index) {
      case .none: break
      case .value(let one), .spread(let one, _): take(one)
      case .fields(let several): several.forEach(take)
      case .gathered(let several): several.forEach { take($0.input) }
      }
    }

    var built: [Node] = []
    for index in kept {
      let node = graph.nodes[index]
      let names = Self.outputNames(node)
      let base = firstOutputs[index] ?? 0
      let dependencies = graph.dependencies[index].filter { isUsed[$0] }
      built.append(
        Node(
          name: node.name, type: node.type, position: node.position.map { $0 + 1 }, inputs: inputs(index),
          inputNames: node.inputs.named.map(\.name), firstOutput: base, outputNames: names,
          dependents: kept.indices.filter { graph.dependencies[kept[$0]].contains(index) },
          dependencyCount: dependencies.count, isAfterResponse: graph.isAfterResponse[index],
          operation: try DatakitOperation(
            node, graph: graph, index: index, places: places, config: config,
            taken: names.indices.map { takenSlots.contains(base + $0) })))
    }
    nodes = built
    slotCount = slots
    first = built.indices.filter { built[$0].dependencyCount == 0 }
    hasNodesBeforeResponse = built.contains { !$0.isAfterResponse }
    hasNodesAfterResponse = built.contains { $0.isAfterResponse }
    isDebugging = config.flag("debug")
  }

  private static func rank(_ node: DatakitNode) -> Int { node.position ?? -1 }

  /// Names of the outputs; one without a name is the empty text.
  private static func outputNames(_ node: DatakitNode) -> [String] {
    switch node.outputs {
    case .none, .free: []
    case .value: [""]
    case .fields(let ports), .constants(let ports): ports.map(\.name)
    }
  }
}

/// What a node does.
enum DatakitOperation: Sendable {
  /// Reads the request; which of its outputs are wanted.
  case request([Bool])
  case serviceRequest
  case serviceResponse([Bool])
  case response
  case constants([DatakitValue])
  /// Nodes of either side.
  case branch(then: [Int], otherwise: [Int])
  case cache(DatakitCacheSettings)
  case call(DatakitCall)
  case exit(status: Int)
  case jq(JQProgram)
  case jwtDecode
  case property(DatakitProperty, contentType: String?, isRequired: Bool)

  /// - Parameters:
  ///   - places: of the graph's nodes among those of the plan.
  ///   - taken: whether each output is connected.
  init(
    _ node: DatakitNode, graph: DatakitGraph, index: Int, places: [Int: Int], config: JSONValue, taken: [Bool]
  ) throws(DatakitGraphError) {
    func problem(_ path: [String], _ message: String) -> DatakitGraphError {
      DatakitGraphError(problems: [.init(position: node.position ?? 0, path: path, message: message)])
    }
    switch node.type {
    case "request": self = .request(taken)
    case "service_request": self = .serviceRequest
    case "service_response": self = .serviceResponse(taken)
    case "response": self = .response
    case "vault":
      let references = config["resources"]?["vault"]?.object ?? [:]
      self = .constants(
        node.outputs.named.map { port in
          references[port.name]?.string.flatMap(DatakitVault.resolve).map { .json(.string($0)) } ?? .none
        })
    case "static":
      let values = node.config["values"]?.object ?? [:]
      self = .constants(node.outputs.named.map { .json(values[$0.name] ?? .null) })
    case "branch":
      func side(_ side: Bool) -> [Int] {
        graph.gates.filter { $0.value.branch == index && $0.value.side == side }.keys.compactMap { places[$0] }.sorted()
      }
      self = .branch(then: side(true), otherwise: side(false))
    case "cache": self = .cache(DatakitCacheSettings(node.config))
    case "call": self = .call(DatakitCall(node.config))
    case "exit": self = .exit(status: Int(node.config["status"]?.integer ?? 200))
    case "jq":
      do {
        self = .jq(try JQProgram.compiled(node.config["jq"]?.string ?? "."))
      } catch {
        throw problem(["jq"], "invalid jq program: \(error)")
      }
    case "jwt_decode": self = .jwtDecode
    case "property":
      do {
        self = .property(
          try DatakitProperty(node.config["property"]?.string ?? "", isSet: graph.feeds[index].whole != nil),
          contentType: node.config["content_type"]?.string, isRequired: node.config.flag("non_nil"))
      } catch {
        throw problem(["property"], error.reason)
      }
    default: throw problem(["type"], "nodes of the type '\(node.type)' are not available yet")
    }
  }
}
