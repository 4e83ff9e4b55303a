/// Holds one value against a compiled JSON schema.
struct JSONSchemaRun {
  /// Bounds of one validation: alternatives within alternatives multiply.
  private static let stepLimit = 100_000
  private static let depthLimit = 200

  let nodes: [JSONSchema.Node]
  private var steps = 0

  init(nodes: [JSONSchema.Node]) { self.nodes = nodes }

  /// The first violation, with its place; nil if the value is good.
  mutating func violation(of value: JSONValue) -> String? {
    let found = judge(value, by: 0, depth: 0)
    if steps > Self.stepLimit { return "the value is too large for its JSON schema to be applied" }
    return found.map { $0.path.isEmpty ? $0.message : "at '\($0.path)': \($0.message)" }
  }

  private struct Finding {
    var path: String
    var message: String

    init(_ message: String) {
      path = ""
      self.message = message
    }

    func within(_ name: String) -> Finding {
      var finding = self
      finding.path = path.isEmpty ? name : "\(name).\(path)"
      return finding
    }
  }

  private mutating func judge(_ value: JSONValue, by number: Int, depth: Int) -> Finding? {
    steps += 1
    if steps > Self.stepLimit || depth > Self.depthLimit { return Finding("the JSON schema is nested too deeply here") }
    let node = nodes[number]
    if let accepts = node.acceptsEverything { return accepts ? nil : Finding("no value is allowed here") }
    for rule in node.rules {
      if let finding = apply(rule, to: value, depth: depth + 1) { return finding }
    }
    return nil
  }

  private mutating func apply(_ rule: JSONSchema.Rule, to value: JSONValue, depth: Int) -> Finding? {
    switch rule {
    case .types(let types):
      if types.contains(where: { $0.holds(value) }) { return nil }
      let wanted = types.map(\.rawValue).joined(separator: " or ")
      return Finding("expected \(wanted), but it is \(JSONSchema.ValueType.description(of: value))")
    case .enumeration(let values):
      return values.contains(value) ? nil : Finding("expected one of: \(Self.list(values))")
    case .constant(let expected):
      return value == expected ? nil : Finding("value must be \(FieldCheck.text(of: expected))")
    case .multipleOf, .minimum, .maximum: return value.double.flatMap { numberFinding(rule, $0) }
    case .minLength, .maxLength, .pattern, .format: return value.string.flatMap { textFinding(rule, $0) }
    case .items, .tuple, .minItems, .maxItems, .uniqueItems, .contains:
      return value.array.flatMap { arrayFinding(rule, $0, depth: depth) }
    case .minProperties, .maxProperties, .required, .properties, .propertyNames, .dependentNames, .dependentSchema:
      return value.object.flatMap { objectFinding(rule, $0, depth: depth) }
    case .allOf(let numbers):
      for number in numbers {
        if let finding = judge(value, by: number, depth: depth) { return finding }
      }
      return nil
    case .anyOf(let numbers):
      var first: Finding?
      for number in numbers {
        guard let finding = judge(value, by: number, depth: depth) else { return nil }
        first = first ?? finding
      }
      return Finding("it matches none of the alternatives" + (first.map { " (\(Self.sentence($0)))" } ?? ""))
    case .oneOf(let numbers):
      var count = 0
      for number in numbers where judge(value, by: number, depth: depth) == nil { count += 1 }
      return count == 1 ? nil : Finding("it must match exactly one of the alternatives, but it matches \(count)")
    case .not(let number):
      return judge(value, by: number, depth: depth) == nil ? Finding("it matches what it must not match") : nil
    case .condition(let condition, let then, let otherwise):
      let branch = judge(value, by: condition, depth: depth) == nil ? then : otherwise
      return branch.flatMap { judge(value, by: $0, depth: depth) }
    case .reference(let number): return judge(value, by: number, depth: depth)
    }
  }

  private func numberFinding(_ rule: JSONSchema.Rule, _ number: Double) -> Finding? {
    switch rule {
    case .multipleOf(let divisor):
      let quotient = number / divisor
      let isWhole = abs(quotient - quotient.rounded()) <= 1e-9 * max(1, abs(quotient))
      return isWhole ? nil : Finding("value must be a multiple of \(LuaTableText.number(divisor))")
    case .minimum(let bound, let isExclusive):
      if isExclusive ? number > bound : number >= bound { return nil }
      return Finding("value must be \(isExclusive ? "greater than" : "at least") \(LuaTableText.number(bound))")
    case .maximum(let bound, let isExclusive):
      if isExclusive ? number < bound : number <= bound { return nil }
      return Finding("value must be \(isExclusive ? "less than" : "at most") \(LuaTableText.number(bound))")
    default: return nil
    }
  }

  private func textFinding(_ rule: JSONSchema.Rule, _ text: String) -> Finding? {
    switch rule {
    case .minLength(let count):
      return text.unicodeScalars.count >= count ? nil : Finding("length must be at least \(count)")
    case .maxLength(let count):
      return text.unicodeScalars.count <= count ? nil : Finding("length must be at most \(count)")
    case .pattern(let pattern):
      return pattern.matches(text) ? nil : Finding("'\(text.prefix(100))' does not match '\(pattern.source)'")
    case .format(let format):
      return format.accepts(text) ? nil : Finding("'\(text.prefix(100))' is no \(format.rawValue)")
    default: return nil
    }
  }

  private mutating func arrayFinding(_ rule: JSONSchema.Rule, _ elements: [JSONValue], depth: Int) -> Finding? {
    switch rule {
    case .items(let number):
      for (index, element) in elements.enumerated() {
        if let finding = judge(element, by: number, depth: depth) { return finding.within(String(index + 1)) }
      }
      return nil
    case .tuple(let numbers, let rest):
      for (index, element) in elements.enumerated() {
        guard let number = index < numbers.count ? numbers[index] : rest else { continue }
        if let finding = judge(element, by: number, depth: depth) { return finding.within(String(index + 1)) }
      }
      return nil
    case .minItems(let count): return elements.count >= count ? nil : Finding("length must be at least \(count)")
    case .maxItems(let count): return elements.count <= count ? nil : Finding("length must be at most \(count)")
    case .uniqueItems: return Set(elements).count == elements.count ? nil : Finding("the items must be distinct")
    case .contains(let number):
      for element in elements where judge(element, by: number, depth: depth) == nil { return nil }
      return Finding("none of the items is what one must be")
    default: return nil
    }
  }

  private mutating func objectFinding(
    _ rule: JSONSchema.Rule, _ members: [String: JSONValue], depth: Int
  ) -> Finding? {
    switch rule {
    case .minProperties(let count):
      return members.count >= count ? nil : Finding("there must be at least \(count) properties")
    case .maxProperties(let count):
      return members.count <= count ? nil : Finding("there must be at most \(count) properties")
    case .required(let names):
      return names.first { members[$0] == nil }.map { Finding("required field missing").within($0) }
    case .properties(let named, let matching, let rest):
      for (name, member) in members.sorted(by: { $0.key < $1.key }) {
        var numbers = named[name].map { [$0] } ?? []
        for entry in matching where entry.pattern.matches(name) { numbers.append(entry.node) }
        if numbers.isEmpty, let rest {
          if nodes[rest].acceptsEverything == false { return Finding("unknown field").within(name) }
          numbers = [rest]
        }
        for number in numbers {
          if let finding = judge(member, by: number, depth: depth) { return finding.within(name) }
        }
      }
      return nil
    case .propertyNames(let number):
      for name in members.keys.sorted() {
        if let finding = judge(.string(name), by: number, depth: depth) {
          return Finding("bad name: \(Self.sentence(finding))").within(name)
        }
      }
      return nil
    case .dependentNames(let name, let others):
      guard members[name] != nil, let missing = others.first(where: { members[$0] == nil }) else { return nil }
      return Finding("required field missing, since there is '\(name)'").within(missing)
    case .dependentSchema(let name, let number):
      return members[name] == nil ? nil : judge(.object(members), by: number, depth: depth)
    default: return nil
    }
  }

  private static func sentence(_ finding: Finding) -> String {
    finding.path.isEmpty ? finding.message : "at '\(finding.path)': \(finding.message)"
  }

  private static func list(_ values: [JSONValue]) -> String {
    values.map { FieldCheck.text(of: $0) }.joined(separator: ", ")
  }
}
