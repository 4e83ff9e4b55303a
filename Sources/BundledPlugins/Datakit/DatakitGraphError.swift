import EntityModel

/// What is wrong with a graph, node by node.
struct DatakitGraphError: Error, CustomStringConvertible {
  struct Problem: Equatable {
    /// Position of the node in the configuration, from 0.
    var position: Int
    /// The field of the node, and the field within it; empty for the node as a whole.
    var path: [String]
    var message: String
  }

  var problems: [Problem]

  /// In the shape of the Admin API: a list as long as the last bad node, null for good ones.
  var violations: SchemaViolations {
    var nodes: [JSONValue] = []
    for problem in problems {
      while nodes.count <= problem.position { nodes.append(.null) }
      nodes[problem.position] = Self.inserting(problem.message, at: problem.path[...], into: nodes[problem.position])
    }
    return SchemaViolations(fields: ["config.nodes": .array(nodes)])
  }

  private static func inserting(_ message: String, at path: ArraySlice<String>, into value: JSONValue) -> JSONValue {
    guard let name = path.first else { return value.isNull ? .string(message) : value }
    var members: [String: JSONValue]
    switch value {
    case .object(let known): members = known
    case .null: members = [:]
    // What is said of the whole stays.
    default: return value
    }
    members[name] = inserting(message, at: path.dropFirst(), into: members[name] ?? .null)
    return .object(members)
  }

  var description: String {
    problems.map { problem in
      (["config.nodes.\(problem.position + 1)"] + problem.path).joined(separator: ".") + ": \(problem.message)"
    }.joined(separator: "; ")
  }
}
