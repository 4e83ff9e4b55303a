import EntityModel

/// The only workspace there is. Source: Kong fact, declarative §2 (its id) and admin-api §7.
enum DefaultWorkspace {
  static let name = "default"
  static let id = "0dc6f45b-8f8d-40d2-a504-473544ee190b"

  /// Whether a path segment names it.
  static func isAddressed(by segment: String) -> Bool {
    segment == name || segment.lowercased() == id
  }

  static let document: [String: JSONValue] = [
    "id": .string(id), "name": .string(name), "comment": nil, "config": ["portal": false],
    "meta": ["color": nil, "thumbnail": nil], "created_at": 0, "updated_at": 0,
  ]
}
