extension ConditionCompiler {
  /// The dotted names that an expression consists of; nil if it is something else or begins with a variable.
  func names(_ syntax: SyntaxNode) -> [String]? {
    switch syntax.kind {
    case .identifier(let name): variables.contains { $0.name == name } ? nil : [name]
    case .select(let base, let name): names(base).map { $0 + [name] }
    case .index(let base, let index):
      if case .literal(.string(let name)) = index.kind { names(base).map { $0 + [name] } } else { nil }
    default: nil
    }
  }

  mutating func compileName(_ syntax: SyntaxNode) throws(ConditionSyntaxError) -> Typed {
    if let names = names(syntax) {
      let resolution: ConditionFieldNames.Resolution
      do {
        resolution = try ConditionFieldNames.resolve(names)
      } catch {
        throw syntax.position.error(error.reason(names.joined(separator: ".")))
      }
      var typed: Typed = (.field(resolution.field), resolution.type)
      for name in names[resolution.length...] {
        typed = try member(name, of: typed, syntax.position)
      }
      return typed
    }
    switch syntax.kind {
    case .identifier(let name):
      guard let place = variables.lastIndex(where: { $0.name == name }) else {
        throw syntax.position.error("unknown field '\(name)'")
      }
      return (.variable(place), variables[place].type)
    case .select(let base, let name): return try member(name, of: try compile(base), syntax.position)
    default: throw syntax.position.error("a field was expected here")
    }
  }

  private func member(_ name: String, of base: Typed, _ position: SourcePosition) throws(ConditionSyntaxError) -> Typed
  {
    guard base.type.mayBe(.map) else {
      throw position.error("\(base.node.label) is \(base.type.name) and has no member '\(name)'")
    }
    return (.key(base.node, name), .dynamic)
  }
}
