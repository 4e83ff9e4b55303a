/// The names by which conditions ask for fields.
enum ConditionFieldNames {
  /// A field, its type, and how many of the given names make it up.
  struct Resolution {
    let field: ConditionField
    let type: ConditionType
    let length: Int
  }

  enum Failure: Error {
    case unknown(suggestion: String?)
    /// The names lead to a group of fields.
    case incomplete(example: String)

    func reason(_ name: String) -> String {
      switch self {
      case .unknown(nil): "unknown field '\(name)'"
      case .unknown(let suggestion?): "unknown field '\(name)'; did you mean '\(suggestion)'?"
      case .incomplete(let example): "'\(name)' is no value by itself; write for example \(example)"
      }
    }
  }

  /// Finds the field that dotted names begin with.
  static func resolve(_ names: [String]) throws(Failure) -> Resolution {
    for length in [3, 2] where names.count >= length {
      if let (field, type) = fixed[names[..<length].joined(separator: ".")] {
        return Resolution(field: field, type: type, length: length)
      }
    }
    let first = names[0]
    let second = names.count > 1 ? names[1] : ""
    switch (first, second) {
    case ("http", "headers"), ("http", "headers_list"), ("http", "queries"), ("http", "queries_list"):
      guard names.count > 2 else { throw .incomplete(example: "http.\(second).x_name") }
      return named(second, names[2])
    case ("kong", "ctx") where names.count > 2 && names[2] == "shared":
      guard names.count > 3 else { return Resolution(field: .shared, type: .map, length: 3) }
      return Resolution(field: .sharedKey(names[3]), type: .dynamic, length: 4)
    case ("plugins", _):
      guard names.count > 2 else { throw .incomplete(example: "plugins.key_auth.is_matched") }
      switch names[2] {
      case "is_matched": return Resolution(field: .pluginIsMatched(second), type: .bool, length: 3)
      case "priority": return Resolution(field: .pluginPriority(second), type: .int, length: 3)
      case "access_has_executed": return Resolution(field: .pluginAccessHasExecuted(second), type: .bool, length: 3)
      default:
        throw .unknown(suggestion: nearest(names[2], pluginMembers).map { "plugins.\(second).\($0)" })
      }
    default: break
    }
    let path = names.joined(separator: ".")
    if let example = known.first(where: { $0.hasPrefix(path + ".") }) { throw .incomplete(example: example) }
    throw .unknown(suggestion: nearest(path, known))
  }

  private static func named(_ group: String, _ name: String) -> Resolution {
    let header = name.lowercased().replacing("_", with: "-")
    let (field, type): (ConditionField, ConditionType) =
      switch group {
      case "headers": (.httpHeader(header), .string)
      case "headers_list": (.httpHeaderList(header), .list(.string))
      case "queries": (.httpQuery(name), .string)
      default: (.httpQueryList(name), .list(.string))
      }
    return Resolution(field: field, type: type, length: 3)
  }

  private static let fixed: [String: (ConditionField, ConditionType)] = {
    let fields: [(ConditionField, ConditionType)] = [
      (.httpMethod, .string), (.httpHost, .string), (.httpPath, .string), (.httpPathSegments, .list(.string)),
      (.netProtocol, .string), (.tlsServerName, .string), (.sourceIP, .string), (.sourcePort, .int),
      (.destinationIP, .string), (.destinationPort, .int), (.routeID, .string), (.routeName, .string),
      (.routeTags, .list(.string)), (.serviceID, .string), (.serviceName, .string), (.serviceTags, .list(.string)),
      (.consumerID, .string), (.consumerUsername, .string), (.consumerCustomID, .string),
      (.consumerTags, .list(.string)), (.consumerGroupNames, .list(.string)), (.consumerGroupIDs, .list(.string)),
      (.principalID, .string), (.principalDisplayName, .string), (.principalMetadata, .map),
    ]
    return Dictionary(uniqueKeysWithValues: fields.map { ($0.0.description, $0) })
  }()

  private static let pluginMembers = ["is_matched", "priority", "access_has_executed"]

  private static let known: [String] =
    (fixed.keys + ["http.headers.x_name", "http.queries.name", "kong.ctx.shared", "plugins.key_auth.is_matched"])
    .sorted()

  /// The candidate that differs by the fewest letters, if it is close.
  static func nearest(_ text: String, _ candidates: [String]) -> String? {
    let limit = max(1, min(3, text.count / 3))
    return candidates.map { ($0, distance(text, $0)) }.filter { $0.1 <= limit }.min { $0.1 < $1.1 }?.0
  }

  /// Levenshtein's distance.
  private static func distance(_ left: String, _ right: String) -> Int {
    let right = Array(right.utf8)
    var row = Array(0...right.count)
    for (line, byte) in left.utf8.enumerated() {
      var diagonal = row[0]
      row[0] = line + 1
      for column in right.indices {
        let replaced = diagonal + (right[column] == byte ? 0 : 1)
        diagonal = row[column + 1]
        row[column + 1] = min(replaced, row[column] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
