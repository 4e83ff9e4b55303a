/// What an input takes and an output gives, as far as it is known before anything runs.
///
/// Source: the peer's documentation of connections, in our words: bundled-16 §7.
enum DatakitType: String, Sendable, Hashable {
  case any, string, number, boolean
  /// Members of any name.
  case map
  /// Members of known names.
  case object

  /// Whether a value may go from here to there; it may still turn out not to fit when it comes.
  func connects(to target: DatakitType) -> Bool {
    if self == target || self == .any || target == .any { return true }
    switch (self, target) {
    case (.string, .number), (.number, .string): return true
    default: return false
    }
  }
}

/// A named input or output.
struct DatakitPort: Sendable, Hashable {
  let name: String
  let type: DatakitType

  init(_ name: String, _ type: DatakitType) {
    self.name = name
    self.type = type
  }
}

/// The inputs or the outputs of a node.
enum DatakitPorts: Sendable {
  case none
  /// One value without a name.
  case value(DatakitType)
  /// Values of these names.
  case fields([DatakitPort])
  /// Values that the configuration holds; together also a map.
  case constants([DatakitPort])
  /// One value, or values of any names: inputs of jq.
  case free

  /// The ports with names.
  var named: [DatakitPort] {
    switch self {
    case .fields(let ports), .constants(let ports): ports
    case .none, .value, .free: []
    }
  }

  subscript(name: String) -> DatakitPort? { named.first { $0.name == name } }
}
