import CYaml
import EntityModel

/// Why a text is not YAML that can be read, and where.
struct YAMLError: Error, CustomStringConvertible {
  let reason: String
  /// Both count from 1.
  let line: Int
  let column: Int

  var description: String { "\(line):\(column): \(reason)" }
}

/// Reads one YAML document into JSON values.
///
/// Works on the parser's events with a stack of its own, so that nesting cannot exhaust the thread's stack, and counts
/// what aliases expand to, so that a few lines cannot become a thousand million values.
struct YAMLReader {
  static let maximumDepth = 128
  /// How many values all aliases together may stand for.
  static let maximumAliasedValues = 1_000_000

  private enum Collection {
    case sequence([JSONValue])
    case mapping([String: JSONValue], merged: [String: JSONValue], key: String?)
  }

  private struct Frame {
    var collection: Collection
    let anchor: String?
    var size = 1
    var depth = 1
  }

  private struct Anchored {
    let value: JSONValue
    let size: Int
    let depth: Int
  }

  private var stack: [Frame] = []
  private var anchors: [String: Anchored] = [:]
  private var aliasedValues = 0
  private var result: JSONValue?

  /// The first and only document of the text; null for a text without one.
  static func value(of text: String) throws(YAMLError) -> JSONValue {
    var reader = YAMLReader()
    return try reader.read(Array(text.utf8))
  }

  private mutating func read(_ bytes: [UInt8]) throws(YAMLError) -> JSONValue {
    // libyaml keeps the address of the parser only during a call, but of the input throughout.
    let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: max(bytes.count, 1))
    defer { input.deallocate() }
    _ = input.update(from: bytes)
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { parser.deallocate() }
    guard yaml_parser_initialize(parser) == 1 else { throw YAMLError(reason: "out of memory", line: 1, column: 1) }
    defer { yaml_parser_delete(parser) }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, bytes.count)
    while true {
      var event = yaml_event_t()
      guard yaml_parser_parse(parser, &event) == 1 else { throw Self.syntaxError(parser.pointee) }
      defer { yaml_event_delete(&event) }
      if event.type == YAML_STREAM_END_EVENT { return result ?? .null }
      try handle(event)
    }
  }

  private mutating func handle(_ event: yaml_event_t) throws(YAMLError) {
    switch event.type {
    case YAML_DOCUMENT_START_EVENT:
      guard result == nil else { throw Self.error("expected one document, found another", event) }
    case YAML_SCALAR_EVENT:
      let scalar = event.data.scalar
      let text = String(
        decoding: UnsafeBufferPointer(start: scalar.value, count: Int(scalar.length)), as: UTF8.self)
      let isPlain = scalar.style == YAML_PLAIN_SCALAR_STYLE
      let tag = Self.text(scalar.tag)
      if expectsKey {
        try takeKey(text, event)
        return
      }
      let value = try Self.value(ofScalar: text, isPlain: isPlain, tag: tag, event)
      try add(Anchored(value: value, size: 1, depth: 0), anchor: Self.text(scalar.anchor), event)
    case YAML_SEQUENCE_START_EVENT:
      try open(.sequence([]), anchor: Self.text(event.data.sequence_start.anchor), event)
    case YAML_MAPPING_START_EVENT:
      try open(.mapping([:], merged: [:], key: nil), anchor: Self.text(event.data.mapping_start.anchor), event)
    case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT:
      guard let frame = stack.popLast() else { return }
      let value: JSONValue
      switch frame.collection {
      case .sequence(let elements): value = .array(elements)
      case .mapping(let own, let merged, _): value = .object(merged.merging(own) { $1 })
      }
      try add(Anchored(value: value, size: frame.size, depth: frame.depth), anchor: frame.anchor, event)
    case YAML_ALIAS_EVENT:
      let name = Self.text(event.data.alias.anchor) ?? ""
      guard let anchored = anchors[name] else { throw Self.error("undefined alias '*\(name)'", event) }
      if expectsKey {
        guard let text = anchored.value.string else { throw Self.error("a key must be a text", event) }
        try takeKey(text, event)
        return
      }
      aliasedValues += anchored.size
      guard aliasedValues <= Self.maximumAliasedValues else {
        throw Self.error("aliases stand for more than \(Self.maximumAliasedValues) values", event)
      }
      try add(anchored, anchor: nil, event)
    default: break
    }
  }

  // MARK: Building

  private var expectsKey: Bool {
    if case .mapping(_, _, key: nil) = stack.last?.collection { true } else { false }
  }

  private mutating func open(
    _ collection: Collection, anchor: String?, _ event: yaml_event_t
  ) throws(YAMLError) {
    guard !expectsKey else { throw Self.error("a key must be a text", event) }
    guard stack.count < Self.maximumDepth else { throw Self.tooDeep(event) }
    stack.append(Frame(collection: collection, anchor: anchor))
  }

  private mutating func takeKey(_ key: String, _ event: yaml_event_t) throws(YAMLError) {
    guard let top = stack.indices.last, case .mapping(let own, let merged, _) = stack[top].collection else { return }
    guard own[key] == nil else { throw Self.error("the key '\(key)' occurs twice", event) }
    stack[top].collection = .mapping(own, merged: merged, key: key)
  }

  private mutating func add(_ item: Anchored, anchor: String?, _ event: yaml_event_t) throws(YAMLError) {
    if let anchor { anchors[anchor] = item }
    guard let top = stack.indices.last else {
      result = item.value
      return
    }
    stack[top].size += item.size
    stack[top].depth = max(stack[top].depth, item.depth + 1)
    guard stack.count + item.depth <= Self.maximumDepth else { throw Self.tooDeep(event) }
    // Taken out while it grows, so that it is not copied.
    let collection = stack[top].collection
    stack[top].collection = .sequence([])
    switch consume collection {
    case .sequence(var elements):
      elements.append(item.value)
      stack[top].collection = .sequence(elements)
    case .mapping(let own, let merged, let key?) where key == "<<":
      stack[top].collection = .mapping(own, merged: try Self.merge(item.value, into: merged, event), key: nil)
    case .mapping(var own, let merged, let key):
      if let key { own[key] = item.value }
      stack[top].collection = .mapping(own, merged: merged, key: nil)
    }
  }

  /// The merge key of YAML 1.1: earlier mappings win over later ones, own keys over all.
  private static func merge(
    _ value: JSONValue, into merged: [String: JSONValue], _ event: yaml_event_t
  ) throws(YAMLError) -> [String: JSONValue] {
    var merged = merged
    for source in value.array ?? [value] {
      guard let members = source.object else { throw error("'<<' takes a mapping or a list of mappings", event) }
      merged.merge(members) { first, _ in first }
    }
    return merged
  }

  // MARK: Errors

  private static func error(_ reason: String, _ event: yaml_event_t) -> YAMLError {
    YAMLError(reason: reason, line: Int(event.start_mark.line) + 1, column: Int(event.start_mark.column) + 1)
  }

  private static func tooDeep(_ event: yaml_event_t) -> YAMLError {
    error("nested more than \(maximumDepth) levels deep", event)
  }

  private static func syntaxError(_ parser: yaml_parser_t) -> YAMLError {
    let problem = parser.problem.map { String(cString: $0) } ?? "not readable as YAML"
    let context = parser.context.map { String(cString: $0) + ": " } ?? ""
    return YAMLError(
      reason: context + problem, line: Int(parser.problem_mark.line) + 1, column: Int(parser.problem_mark.column) + 1)
  }

  private static func text(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
    pointer.map { String(cString: $0) }
  }
}

extension YAMLReader {
  /// What a scalar means: quoted ones are texts; plain ones may be null, booleans (YAML 1.1's words) or numbers.
  private static func value(
    ofScalar text: String, isPlain: Bool, tag: String?, _ event: yaml_event_t
  ) throws(YAMLError) -> JSONValue {
    switch tag {
    case "tag:yaml.org,2002:str", "!", "tag:yaml.org,2002:binary": return .string(text)
    case "tag:yaml.org,2002:null": return .null
    case "tag:yaml.org,2002:bool":
      guard let value = boolean(text) else { throw error("'\(text)' is not a boolean", event) }
      return .bool(value)
    case "tag:yaml.org,2002:int", "tag:yaml.org,2002:float":
      guard let value = number(text) else { throw error("'\(text)' is not a number", event) }
      return value
    default: break
    }
    guard isPlain else { return .string(text) }
    if ["", "~", "null", "Null", "NULL"].contains(text) { return .null }
    if let value = boolean(text) { return .bool(value) }
    return number(text) ?? .string(text)
  }

  private static func boolean(_ text: String) -> Bool? {
    switch text {
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON": true
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF": false
    default: nil
    }
  }

  static func number(_ text: String) -> JSONValue? {
    guard let first = text.utf8.first, text.utf8.count <= 64,
      first == UInt8(ascii: "-") || first == UInt8(ascii: "+") || first == UInt8(ascii: ".")
        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first)
    else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    var digits = text.replacing("_", with: "")[...]
    if isNegative || first == UInt8(ascii: "+") { digits = digits.dropFirst() }
    guard let lead = digits.first, lead.isASCII, lead.isNumber || lead == "." else { return nil }
    for (prefix, radix) in [("0x", 16), ("0b", 2), ("0o", 8)] where digits.hasPrefix(prefix) {
      return integer(digits.dropFirst(2), radix: radix, isNegative: isNegative)
    }
    if digits.count > 1, lead == "0", digits.allSatisfy({ $0 >= "0" && $0 <= "7" }) {
      return integer(digits.dropFirst(), radix: 8, isNegative: isNegative)
    }
    if digits.allSatisfy({ $0 >= "0" && $0 <= "9" }), let value = integer(digits, radix: 10, isNegative: isNegative) {
      return value
    }
    let isDecimal = digits.allSatisfy { $0.isASCII && ($0.isNumber || ".eE+-".contains($0)) }
    let hasDigit = digits.contains { $0.isNumber }
    guard isDecimal, hasDigit, let value = Double(digits.hasSuffix(".") ? digits + "0" : digits), value.isFinite else {
      return nil
    }
    return .number(isNegative ? -value : value)
  }

  private static func integer(_ digits: Substring, radix: Int, isNegative: Bool) -> JSONValue? {
    Int64((isNegative ? "-" : "") + digits, radix: radix).map(JSONValue.integer)
  }
}
