import EntityModel

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
