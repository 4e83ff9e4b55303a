/// A plugin's `condition`: an expression of CEL over the request, compiled once.
///
/// Source: Kong fact, plugin-entity §6. Usable from any thread.
///
/// Kong compatibility: `[]` on lists and maps is accepted beside what Kong documents.
public struct Condition: Sendable {
  /// In Unicode scalars.
  public static let maximumLength = 1024

  public let source: String
  let program: ConditionNode

  /// Parses, checks and compiles.
  public init(_ source: String) throws(ConditionSyntaxError) {
    guard source.unicodeScalars.dropFirst(Self.maximumLength).isEmpty else {
      throw ConditionSyntaxError(
        line: 1, column: 1, reason: "a condition has at most \(Self.maximumLength) characters")
    }
    var parser = try ConditionParser(source)
    let syntax = try parser.parse()
    var compiler = ConditionCompiler()
    program = try compiler.compile(condition: syntax)
    self.source = source
  }

  /// Whether the plugin runs.
  public func evaluate(_ context: some ConditionContext) throws(ConditionRuntimeError) -> Bool {
    var evaluator = ConditionEvaluator(context: context)
    return try evaluator.condition(program)
  }
}

/// Why a condition was refused.
public struct ConditionSyntaxError: Error, Sendable, Hashable, CustomStringConvertible {
  /// From 1.
  public let line: Int
  /// In Unicode scalars, from 1.
  public let column: Int
  /// A sentence that says what is wrong and, where there is one, the way out.
  public let reason: String

  public var description: String { "line \(line), column \(column): \(reason)" }
}

/// Why a condition could not be decided for a request.
public struct ConditionRuntimeError: Error, Sendable, Hashable, CustomStringConvertible {
  public let reason: String

  public var description: String { reason }
}
