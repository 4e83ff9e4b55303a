import EntityModel

/// The body of a POST, PUT or PATCH in one of the forms that the Admin API reads.
enum RequestBody: Sendable {
  case none
  case json(JSONValue)
  case form(FormTree)
  /// YAML, for `/config` alone.
  case document(String)

  /// - Parameters:
  ///   - contentTypes: every `Content-Type` header of the request.
  ///   - acceptsDocuments: whether the endpoint takes a whole document as JSON or YAML text (`/config`).
  /// - Throws: `AdminRefusal` with 400 or 415. Source: Kong fact, admin-api §1.
  ///   Kong compatibility: a broken JSON body is told with the place of the mistake, in a member that Kong has not.
  init(parsing bytes: [UInt8], contentTypes: [String], acceptsDocuments: Bool) throws(AdminRefusal) {
    guard let contentType = contentTypes.first else {
      guard bytes.isEmpty else { throw Self.unsupported("a body without a Content-Type", acceptsDocuments) }
      self = .none
      return
    }
    let type = MediaType(contentType).type
    if type.hasPrefix("application/json") {
      self = acceptsDocuments ? try .document(of: bytes) : try .json(of: bytes)
    } else if type.hasPrefix("application/x-www-form-urlencoded") {
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw .message(400, "Cannot parse form body: it is not valid UTF-8; escape other bytes as %XX")
      }
      self = .form(try FormTree(try QueryArguments(parsing: text, source: "form")))
    } else if type.hasPrefix("multipart/form-data") {
      self = .form(try Self.tree(of: try MultipartForm.parts(of: bytes, contentType: contentType)))
    } else if acceptsDocuments, type.hasPrefix("application/yaml") || type.hasPrefix("text/yaml") {
      self = try .document(of: bytes)
    } else {
      throw Self.unsupported("the Content-Type '\(type)'", acceptsDocuments)
    }
  }

  private static func json(of bytes: [UInt8]) throws(AdminRefusal) -> RequestBody {
    do {
      return .json(try JSONValue(parsing: bytes))
    } catch {
      throw AdminRefusal(
        status: 400, document: ["message": "Cannot parse JSON body", "reason": .string(error.description)])
    }
  }

  private static func document(of bytes: [UInt8]) throws(AdminRefusal) -> RequestBody {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .message(400, "the configuration is not valid UTF-8")
    }
    return .document(text)
  }

  private static func tree(of parts: [MultipartForm.Part]) throws(AdminRefusal) -> FormTree {
    var tree = FormTree()
    for part in parts {
      if part.contentType?.hasPrefix("application/json") == true, case .json(let value) = try json(of: part.content) {
        try tree.insert(.json(value), name: part.name)
        continue
      }
      guard let text = String(validating: part.content, as: UTF8.self) else {
        throw .message(400, "the part '\(part.name)' of the multipart body is not valid UTF-8")
      }
      try tree.insert(.text(text), name: part.name)
    }
    return tree
  }

  private static func unsupported(_ what: String, _ acceptsDocuments: Bool) -> AdminRefusal {
    let yaml = acceptsDocuments ? ", application/yaml, text/yaml" : ""
    return .message(
      415,
      "Unsupported media type: \(what) is not accepted; send application/json, "
        + "application/x-www-form-urlencoded or multipart/form-data\(yaml)")
  }

  /// The members of the body, their types inferred where it is a form.
  ///
  /// Kong compatibility: for JSON that is no object Kong answers 500.
  /// An empty JSON array counts as an empty object, as Lua cannot tell them apart.
  /// - Throws: `AdminRefusal` (400) for a JSON value that is no object.
  func fields(_ inference: FormInference) throws(AdminRefusal) -> [String: JSONValue] {
    switch self {
    case .none: return [:]
    case .form(let tree): return inference.fields(of: tree)
    case .json(.object(let members)): return members
    case .json(.array([])): return [:]
    case .json(let value):
      throw .message(400, "the JSON body must be an object, not \(Self.kind(of: value))")
    case .document: throw .message(400, "the JSON body must be an object")
    }
  }

  /// A member that selects the schema of others, as text; nil if it is absent or no text.
  func text(of member: String) -> String? {
    switch self {
    case .form(let tree): return tree[member]?.text
    case .json(let value): return value[member]?.string
    case .none, .document: return nil
    }
  }

  private static func kind(of value: JSONValue) -> String {
    switch value {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }
}
