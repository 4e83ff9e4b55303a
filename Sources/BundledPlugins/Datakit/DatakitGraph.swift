import EntityModel

/// The nodes of a configuration with their connections, checked.
///
/// A value of this type is sound: each input has one source of a type that can fit, and the nodes can be put into an
/// order. Source: Kong fact, bundled-16 §7 (messages included).
struct DatakitGraph: Sendable {
  static let maximumNodes = 64

  /// Where an input comes from.
  enum Source: Sendable, Equatable {
    /// The one value of a node, or one of its outputs.
    case output(node: Int, field: String?)
    /// All outputs of a node as one object.
    case everything(node: Int)

    var node: Int {
      switch self {
      case .output(let node, _), .everything(let node): node
      }
    }
  }

  /// What feeds a node.
  struct Feed: Sendable {
    /// The node as a whole.
    var whole: Source?
    /// Inputs by name.
    var fields: [String: Source] = [:]
  }

  /// Those of the configuration in their order, then the implicit ones.
  let nodes: [DatakitNode]
  /// By node.
  private(set) var feeds: [Feed]
  /// The nodes that must be over before a node begins, by node.
  private(set) var dependencies: [[Int]]
  /// The branch that decides about a node, and the side it is on; by node.
  private(set) var gates: [Int: (branch: Int, side: Bool)] = [:]
  /// All nodes, each after those it depends on.
  private(set) var order: [Int] = []
  /// Whether a node waits for the service's response, by node.
  private(set) var isAfterResponse: [Bool] = []

  private var problems: [DatakitGraphError.Problem] = []
  private var indices: [String: Int] = [:]
  /// Labels of the sources, for messages.
  private var sourceLabels: [[String: String]]

  init(config: JSONValue) throws(DatakitGraphError) {
    let declared = (config["nodes"]?.array ?? []).prefix(Self.maximumNodes).enumerated().map {
      DatakitNode($0.element, position: $0.offset)
    }
    let secrets = (config["resources"]?["vault"]?.object ?? [:]).keys.sorted()
    nodes = declared + DatakitNode.implicit(secrets: secrets)
    feeds = Array(repeating: Feed(), count: nodes.count)
    sourceLabels = Array(repeating: [:], count: nodes.count)
    dependencies = Array(repeating: [], count: nodes.count)
    isAfterResponse = Array(repeating: false, count: nodes.count)
    checkNames()
    if !problems.isEmpty { throw DatakitGraphError(problems: problems) }
    for index in declared.indices { connect(index) }
    for index in declared.indices { readBranch(index) }
    for index in declared.indices { checkNeeds(of: index, hasCache: config["resources"]?["cache"]?.object != nil) }
    if !problems.isEmpty { throw DatakitGraphError(problems: problems) }
    addDependencies()
    sort()
    if !problems.isEmpty { throw DatakitGraphError(problems: problems) }
  }

  // MARK: Names

  private mutating func checkNames() {
    for (index, node) in nodes.enumerated() {
      if let position = node.position {
        if DatakitNode.reservedNames.contains(node.name) {
          report(position, ["name"], "the name '\(node.name)' is reserved for an implicit node")
          continue
        }
        if let other = indices[node.name] {
          report(position, ["name"], "the name '\(node.name)' is taken by \(nodes[other].title)")
          continue
        }
      }
      indices[node.name] = index
    }
  }

  private mutating func report(_ position: Int, _ path: [String], _ message: String) {
    problems.append(.init(position: position, path: path, message: message))
  }

  // MARK: Connections

  /// Makes the connections that one node declares, in both directions.
  private mutating func connect(_ index: Int) {
    let node = nodes[index]
    if let label = node.config["input"]?.string {
      connect(from: label, to: node.name, declaredBy: index, ["input"])
    }
    for (field, label) in Self.labels(node.config["inputs"]) {
      connect(from: label, to: "\(node.name).\(field)", declaredBy: index, ["inputs", field])
    }
    if let label = node.config["output"]?.string {
      connect(from: node.name, to: label, declaredBy: index, ["output"])
    }
    for (field, label) in Self.labels(node.config["outputs"]) {
      connect(from: "\(node.name).\(field)", to: label, declaredBy: index, ["outputs", field])
    }
  }

  private static func labels(_ value: JSONValue?) -> [(String, String)] {
    (value?.object ?? [:]).compactMap { field, label in label.string.map { (field, $0) } }.sorted { $0.0 < $1.0 }
  }

  private mutating func connect(from source: String, to target: String, declaredBy index: Int, _ path: [String]) {
    do throws(ConnectionError) {
      let (from, output) = try find(source)
      let (to, input) = try find(target)
      try connect(from, output, to, input)
    } catch {
      let labels = error.labels ?? (source, target)
      report(
        nodes[index].position ?? 0, path, "invalid connection (\"\(labels.0)\" -> \"\(labels.1)\"): \(error.reason)")
    }
  }

  private struct ConnectionError: Error {
    var reason: String
    /// Of the connection that does not work, where it is part of the declared one.
    var labels: (String, String)?

    init(_ reason: String, labels: (String, String)? = nil) {
      self.reason = reason
      self.labels = labels
    }
  }

  /// A label in parts: the node, and the field of it.
  private func find(_ label: String) throws(ConnectionError) -> (Int, String?) {
    let dot = label.firstIndex(of: ".")
    let name = String(label[..<(dot ?? label.endIndex)])
    guard let index = indices[name] else {
      if name == "vault" { throw ConnectionError("there are no secrets: resources.vault is not set") }
      throw ConnectionError("unknown node: \"\(name)\"")
    }
    return (index, dot.map { String(label[label.index(after: $0)...]) })
  }

  private mutating func connect(
    _ from: Int, _ output: String?, _ to: Int, _ input: String?
  ) throws(ConnectionError) {
    let (source, target) = (nodes[from], nodes[to])
    let given = try sourceType(source, output)
    let taken = try targetType(target, input)
    switch (given, taken) {
    case (.object, .object) where input == nil:
      let common = target.inputs.named.filter { source.outputs[$0.name] != nil }
      if common.isEmpty { throw ConnectionError("the nodes have no fields in common") }
      for port in common { try connect(from, port.name, to, port.name) }
    case (.object, .map) where source.isConstant, (.object, .any):
      try attach(.everything(node: from), source.name, to, input)
    case (.object, _),
      (_, .object) where given != .any:
      throw ConnectionError("type mismatch: \(given.rawValue) -> \(taken.rawValue)")
    default:
      guard given.connects(to: taken) else {
        throw ConnectionError(
          "type mismatch: \(given.rawValue) -> \(taken.rawValue)", labels: labels(from, output, to, input))
      }
      try attach(.output(node: from, field: output), labels(from, output, to, input).0, to, input)
    }
  }

  private func labels(_ from: Int, _ output: String?, _ to: Int, _ input: String?) -> (String, String) {
    func label(_ node: Int, _ field: String?) -> String { nodes[node].name + (field.map { "." + $0 } ?? "") }
    return (label(from, output), label(to, input))
  }

  private func sourceType(_ node: DatakitNode, _ field: String?) throws(ConnectionError) -> DatakitType {
    switch (node.outputs, field) {
    case (.none, _), (.free, _): throw ConnectionError("node \"\(node.name)\" has no outputs")
    case (.value(let type), nil): return type
    case (.value, .some): throw ConnectionError("the output of node \"\(node.name)\" does not allow field access")
    case (.fields, nil), (.constants, nil): return .object
    case (.fields, let field?), (.constants, let field?):
      guard let port = node.outputs[field] else {
        throw ConnectionError("node \"\(node.name)\" has no output \"\(field)\"")
      }
      return port.type
    }
  }

  private func targetType(_ node: DatakitNode, _ field: String?) throws(ConnectionError) -> DatakitType {
    switch (node.inputs, field) {
    case (.none, _), (.constants, _): throw ConnectionError("node \"\(node.name)\" has no inputs")
    case (.value(let type), nil): return type
    case (.value, .some): throw ConnectionError("the input of node \"\(node.name)\" does not allow field access")
    case (.free, _): return .any
    case (.fields, nil): return .object
    case (.fields, let field?):
      guard let port = node.inputs[field] else {
        throw ConnectionError("node \"\(node.name)\" has no input \"\(field)\"")
      }
      return port.type
    }
  }

  private mutating func attach(
    _ source: Source, _ label: String, _ to: Int, _ input: String?
  ) throws(ConnectionError) {
    let known: (Source, String)? =
      if let whole = feeds[to].whole {
        (whole, sourceLabels[to][""] ?? "")
      } else if let input {
        feeds[to].fields[input].map { ($0, sourceLabels[to][input] ?? "") }
      } else {
        feeds[to].fields.min { $0.key < $1.key }.map { ($0.value, sourceLabels[to][$0.key] ?? "") }
      }
    if let known {
      let isSame = known.0 == source && (input == nil) == (feeds[to].whole != nil)
      // Both ends may declare the same connection.
      if isSame { return }
      let target = nodes[to].name + (input.map { "." + $0 } ?? "")
      throw ConnectionError(
        "conflicts with existing connection (\"\(known.1)\" -> \"\(target)\")", labels: (label, target))
    }
    if let input {
      feeds[to].fields[input] = source
    } else {
      feeds[to].whole = source
    }
    sourceLabels[to][input ?? ""] = label
  }

  // MARK: Branches

  private mutating func readBranch(_ index: Int) {
    guard nodes[index].type == "branch", let position = nodes[index].position else { return }
    for (key, side) in [("then", true), ("else", false)] {
      for name in nodes[index].config[key]?.array?.compactMap(\.string) ?? [] {
        guard let target = indices[name] else {
          report(position, [key], "unknown node: \"\(name)\"")
          continue
        }
        if nodes[target].position == nil {
          report(position, [key], "an implicit node cannot be part of a branch: \"\(name)\"")
        } else if target == index {
          report(position, [key], "a branch cannot be part of itself")
        } else if let other = gates[target] {
          report(position, [key], "node \"\(name)\" is already part of \(nodes[other.branch].title)")
        } else {
          gates[target] = (index, side)
        }
      }
    }
  }

  // MARK: What nodes cannot do without

  private mutating func checkNeeds(of index: Int, hasCache: Bool) {
    let node = nodes[index]
    guard let position = node.position else { return }
    let feed = feeds[index]
    func isFed(_ field: String) -> Bool { feed.whole != nil || feed.fields[field] != nil }
    switch node.type {
    case "branch":
      if feed.whole == nil { report(position, ["input"], "required field missing") }
      if node.config["then"]?.array == nil, node.config["else"]?.array == nil {
        report(position, ["then"], "at least one of these fields must be non-empty: 'then', 'else'")
      }
      if node.config["output"]?.string != nil || !Self.labels(node.config["outputs"]).isEmpty {
        report(position, ["output"], "a branch has no outputs: name its nodes in 'then' and 'else'")
      }
    case "cache":
      if !isFed("key") { report(position, ["inputs", "key"], "required field missing") }
      if !hasCache { report(position, [], "a cache node needs resources.cache") }
    case "call":
      if node.config["url"]?.string == nil, !isFed("url") { report(position, ["url"], "required field missing") }
    case "jwt_decode":
      if feed.whole == nil { report(position, ["input"], "required field missing") }
    case "jwt_sign":
      if !isFed("key") { report(position, ["inputs", "key"], "required field missing") }
    case "jwt_verify":
      for field in ["token", "key"] where !isFed(field) {
        report(position, ["inputs", field], "required field missing")
      }
    case "property":
      do throws(DatakitPropertyError) {
        _ = try DatakitProperty(node.config["property"]?.string ?? "", isSet: feed.whole != nil)
      } catch {
        report(position, ["property"], error.reason)
      }
    default: break
    }
  }

  // MARK: Order

  private mutating func addDependencies() {
    func isImplicit(_ name: String) -> Int? { indices[name] }
    for index in nodes.indices {
      var needed: [Int] = []
      func need(_ node: Int) {
        if !needed.contains(node) { needed.append(node) }
      }
      if let whole = feeds[index].whole { need(whole.node) }
      for field in feeds[index].fields.keys.sorted() {
        if let source = feeds[index].fields[field] { need(source.node) }
      }
      if let gate = gates[index] { need(gate.branch) }
      if side(of: index) == .afterResponse, let response = indices["service_response"], response != index {
        need(response)
      }
      dependencies[index] = needed
    }
    // The service answers only after what goes to it is complete.
    if let response = indices["service_response"] {
      for index in nodes.indices where side(of: index) == .beforeResponse { dependencies[response].append(index) }
    }
  }

  private enum Side { case any, beforeResponse, afterResponse }

  /// On which side of the service's response a node must be, whatever it depends on.
  private func side(of index: Int) -> Side {
    switch nodes[index].name {
    case "service_request" where nodes[index].position == nil: return .beforeResponse
    case "response" where nodes[index].position == nil: return .afterResponse
    default:
      guard nodes[index].type == "property",
        let property = try? DatakitProperty(
          nodes[index].config["property"]?.string ?? "", isSet: feeds[index].whole != nil)
      else { return .any }
      return property.isBeforeResponse ? .beforeResponse : property.isAfterResponse ? .afterResponse : .any
    }
  }

  private enum Mark { case new, open, done }

  private mutating func sort() {
    var marks = Array(repeating: Mark.new, count: nodes.count)
    for index in nodes.indices { visit(index, &marks) }
  }

  /// Puts a node behind those it depends on; the depth is bounded by the number of nodes.
  private mutating func visit(_ index: Int, _ marks: inout [Mark]) {
    guard marks[index] == .new else { return }
    marks[index] = .open
    for dependency in dependencies[index] {
      if marks[dependency] == .open {
        let position = nodes[index].position ?? nodes[dependency].position ?? 0
        report(
          position, [],
          "invalid dependency (\(nodes[index].title) -> \(nodes[dependency].title)): circular dependency")
        continue
      }
      visit(dependency, &marks)
      if isAfterResponse[dependency] { isAfterResponse[index] = true }
    }
    if nodes[index].position == nil, nodes[index].name == "service_response" { isAfterResponse[index] = true }
    marks[index] = .done
    order.append(index)
  }
}

extension DatakitNode {
  var isConstant: Bool { if case .constants = outputs { true } else { false } }
}
