import Patterns

/// A JSON schema (drafts 4, 6 and 7), compiled once, by which fields of the type `json` are judged.
///
/// Every keyword is either applied, known to be a mere remark (`title`, `description`, …), or refused when the schema is
/// read; none is ignored. References reach only into the document itself.
/// Source: Kong fact, schema-library §2 (`json`); RFC draft-handrews-json-schema-validation-01 (draft 7).
public struct JSONSchema: Sendable {
  /// Why a document is no usable schema: where, as a dotted path, and what is wrong there.
  public struct Refusal: Error, Sendable, Hashable {
    public var path: String
    public var message: String
  }

  /// The document as written, for readers of the schema.
  public let document: JSONValue
  /// Sub-schemas by their number; the first is the schema itself.
  let nodes: [Node]

  /// - Throws: `Refusal` for the first keyword that is malformed or not known.
  public init(_ document: JSONValue) throws(Refusal) {
    var compiler = JSONSchemaCompiler(document: document)
    nodes = try compiler.compile()
    self.document = document
  }

  /// What is wrong with a value, with the place in it; nil if it is good.
  public func violation(of value: JSONValue) -> String? {
    var run = JSONSchemaRun(nodes: nodes)
    return run.violation(of: value)
  }
}

extension JSONSchema {
  /// One schema within the document.
  struct Node: Sendable {
    /// What the schemas `true` and `false` say, and nothing else.
    var acceptsEverything: Bool?
    var rules: [Rule] = []
  }

  /// A keyword with its operand; sub-schemas by their number.
  enum Rule: Sendable {
    case types([ValueType])
    case enumeration([JSONValue])
    case constant(JSONValue)
    case multipleOf(Double)
    case minimum(Double, isExclusive: Bool)
    case maximum(Double, isExclusive: Bool)
    case minLength(Int)
    case maxLength(Int)
    case pattern(RE2Pattern)
    case format(JSONSchemaFormat)
    /// `items` and `additionalItems`.
    case items(each: Int)
    case tuple([Int], rest: Int?)
    case minItems(Int)
    case maxItems(Int)
    case uniqueItems
    case contains(Int)
    case minProperties(Int)
    case maxProperties(Int)
    case required([String])
    /// `properties`, `patternProperties` and `additionalProperties`.
    case properties(named: [String: Int], matching: [Matching], rest: Int?)
    case propertyNames(Int)
    case dependentNames(String, [String])
    case dependentSchema(String, Int)
    case allOf([Int])
    case anyOf([Int])
    case oneOf([Int])
    case not(Int)
    case condition(if: Int, then: Int?, else: Int?)
    case reference(Int)

    struct Matching: Sendable {
      var pattern: RE2Pattern
      var node: Int
    }
  }

  enum ValueType: String, Sendable, CaseIterable {
    case null, boolean, integer, number, string, array, object

    func holds(_ value: JSONValue) -> Bool {
      switch (self, value) {
      case (.null, .null), (.boolean, .bool), (.string, .string), (.array, .array), (.object, .object): true
      case (.number, .integer), (.number, .number), (.integer, .integer): true
      case (.integer, .number(let number)): number.rounded() == number
      default: false
      }
    }

    /// The type of a value, with its article.
    static func description(of value: JSONValue) -> String {
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
}

/// The formats of texts that are checked.
///
/// Source: draft-handrews-json-schema-validation-01 §7.3.
enum JSONSchemaFormat: String, Sendable, CaseIterable {
  case dateTime = "date-time"
  case date, time, email, hostname, ipv4, ipv6, uri, uuid, regex

  func accepts(_ text: String) -> Bool {
    switch self {
    case .date: matches(text, #"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"#)
    case .time: matches(text, #"^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?([zZ]|[+-]([01]\d|2[0-3]):[0-5]\d)$"#)
    case .dateTime:
      matches(
        text,
        #"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[tT ]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"#
          + #"([zZ]|[+-]([01]\d|2[0-3]):[0-5]\d)$"#)
    case .email: matches(text, #"^[^@\s]+@[^@\s]+$"#)
    case .hostname:
      text.utf8.count <= 253
        && matches(
          text, #"^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*\.?$"#)
    case .ipv4: IPAddress(text)?.isIPv4 == true
    case .ipv6: !text.hasPrefix("[") && IPAddress(text)?.isIPv4 == false
    case .uri: matches(text, #"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]*$"#)
    case .uuid: UUIDText.isUUID(text)
    case .regex: ValueChecks.isRegex(text)
    }
  }

  private func matches(_ text: String, _ pattern: String) -> Bool {
    (try? RE2Pattern(pattern))?.matches(text) == true
  }
}
