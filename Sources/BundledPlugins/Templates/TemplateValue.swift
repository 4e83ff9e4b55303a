import Expressions
import Foundation

/// A value of a template expression, with the meaning it has in Lua.
indirect enum TemplateValue {
  case none
  case bool(Bool)
  case number(Double)
  case string(String)
  case list([TemplateValue])
  case map([String: TemplateValue])
  case root(TemplateRoot)
  case function(TemplateFunction)

  var isTrue: Bool {
    switch self {
    case .none, .bool(false): false
    default: true
    }
  }

  /// What `type` gives.
  var typeName: String {
    switch self {
    case .none: "nil"
    case .bool: "boolean"
    case .number: "number"
    case .string: "string"
    case .list, .map, .root: "table"
    case .function: "function"
    }
  }

  /// The text of strings and numbers, which Lua takes for one another; nil for anything else.
  var coercedText: String? {
    switch self {
    case .string(let text): text
    case .number(let number): Self.text(of: number)
    default: nil
    }
  }

  var coercedNumber: Double? {
    switch self {
    case .number(let number): number
    case .string(let text): LuaNumber.parse(text)
    default: nil
    }
  }

  /// The text in place of the expression. Several values of one header or argument are joined with `, `.
  var rendered: String {
    switch self {
    case .none: ""
    case .bool(let value): value ? "true" : "false"
    case .number(let number): Self.text(of: number)
    case .string(let text): text
    case .list(let values): values.map(\.rendered).joined(separator: ", ")
    case .map, .root: "table"
    case .function: "function"
    }
  }

  static func text(of number: Double) -> String {
    if number.isNaN { return "nan" }
    if number.isInfinite { return number < 0 ? "-inf" : "inf" }
    if number == number.rounded(), abs(number) < 1e15 { return String(Int64(number)) }
    return String(format: "%.14g", number)
  }

  static func areEqual(_ left: TemplateValue, _ right: TemplateValue) -> Bool {
    switch (left, right) {
    case (.none, .none): true
    case (.bool(let left), .bool(let right)): left == right
    case (.number(let left), .number(let right)): left == right
    case (.string(let left), .string(let right)): left.utf8.elementsEqual(right.utf8)
    case (.root(let left), .root(let right)): left == right
    default: false
    }
  }

  /// A shared value of the request.
  init(_ value: ConditionValue) {
    switch value {
    case .missing, .null: self = .none
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .number(Double(value))
    case .double(let value): self = .number(value)
    case .string(let value): self = .string(value)
    case .list(let values): self = .list(values.map { TemplateValue($0) })
    case .map(let values): self = .map(values.mapValues { TemplateValue($0) })
    }
  }

  init(_ value: Arguments.Value) {
    switch value {
    case .flag: self = .bool(true)
    case .text(let text): self = .string(text)
    case .list(let values): self = .list(values.map { TemplateValue($0) })
    }
  }
}

/// The names that a template may look things up in.
enum TemplateRoot: Equatable {
  case headers, queryParams, uriCaptures, shared
  /// The `string` library.
  case stringLibrary
}

/// Something to call: a function of the library or one that the template defines.
enum TemplateFunction {
  case library(TemplateLibrary.Function)
  case closure(TemplateClosure)
}

/// A function with what it had around it.
final class TemplateClosure {
  let parameters: Int
  let slots: Int
  let body: [TemplateStatement]
  let outer: TemplateScope?

  init(parameters: Int, slots: Int, body: [TemplateStatement], outer: TemplateScope?) {
    self.parameters = parameters
    self.slots = slots
    self.body = body
    self.outer = outer
  }
}

/// The local variables of one call.
final class TemplateScope {
  var values: [TemplateValue]
  let outer: TemplateScope?

  init(slots: Int, outer: TemplateScope?) {
    values = Array(repeating: .none, count: slots)
    self.outer = outer
  }

  func scope(at depth: Int) -> TemplateScope? {
    var scope: TemplateScope? = self
    for _ in 0..<depth { scope = scope?.outer }
    return scope
  }
}

/// Why a template could not be evaluated.
struct TemplateFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Numbers as Lua reads them out of text.
enum LuaNumber {
  /// Decimal or hexadecimal, blanks around it allowed; nil for anything else.
  static func parse(_ text: String) -> Double? {
    let text = text.trimmingCharacters(in: .whitespacesAndNewlines)
    guard let first = text.utf8.first, text.utf8.count < 400 else { return nil }
    let isNegative = first == UInt8(ascii: "-")
    let digits = isNegative ? text.dropFirst() : Substring(text)
    if digits.hasPrefix("0x") || digits.hasPrefix("0X") {
      guard let number = UInt64(digits.dropFirst(2), radix: 16) else { return nil }
      return isNegative ? -Double(number) : Double(number)
    }
    guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) }) else { return nil }
    var bare = digits
    if bare.hasPrefix(".") { bare = "0" + bare }
    if bare.hasSuffix(".") { bare = bare + "0" }
    guard let number = Double(bare), number.isFinite else { return nil }
    return isNegative ? -number : number
  }
}
