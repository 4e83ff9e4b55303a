/// Parses the CEL of conditions by recursive descent, with bounded depth.
struct ConditionParser {
  private var lexer: ConditionLexer
  private var token = ConditionLexer.Token.end
  private var position = SourcePosition()
  private var nesting = 0

  init(_ source: String) throws(ConditionSyntaxError) {
    lexer = ConditionLexer(source)
    try advance()
  }

  mutating func parse() throws(ConditionSyntaxError) -> SyntaxNode {
    guard token != .end else { throw position.error("the condition is empty") }
    let expression = try expression()
    guard token == .end else { throw unexpected("an operator or the end") }
    return expression
  }

  // MARK: Levels, from the weakest binding

  private mutating func expression() throws(ConditionSyntaxError) -> SyntaxNode {
    try enter()
    defer { nesting -= 1 }
    let start = position
    let operands = try operands(of: "||") { parser throws(ConditionSyntaxError) in try parser.conjunction() }
    return operands.count == 1 ? operands[0] : try node(.any(operands), start, operands)
  }

  private mutating func conjunction() throws(ConditionSyntaxError) -> SyntaxNode {
    let start = position
    let operands = try operands(of: "&&") { parser throws(ConditionSyntaxError) in try parser.relation() }
    return operands.count == 1 ? operands[0] : try node(.all(operands), start, operands)
  }

  private mutating func relation() throws(ConditionSyntaxError) -> SyntaxNode {
    var left = try sum()
    while case .symbol(let symbol) = token, let relation = BinaryOperator(rawValue: symbol) {
      let start = position
      try advance()
      let right = try sum()
      left = try node(.binary(relation, left, right), start, [left, right])
    }
    return left
  }

  private mutating func sum() throws(ConditionSyntaxError) -> SyntaxNode {
    let start = position
    let operands = try operands(of: "+") { parser throws(ConditionSyntaxError) in try parser.unary() }
    return operands.count == 1 ? operands[0] : try node(.sum(operands), start, operands)
  }

  private mutating func unary() throws(ConditionSyntaxError) -> SyntaxNode {
    guard token == .symbol("!") else { return try member() }
    let start = position
    try enter()
    defer { nesting -= 1 }
    try advance()
    let operand = try unary()
    return try node(.not(operand), start, [operand])
  }

  private mutating func member() throws(ConditionSyntaxError) -> SyntaxNode {
    var left = try primary()
    while true {
      if token == .symbol(".") {
        try advance()
        let start = position
        guard let name = memberName else { throw unexpected("a name after '.'") }
        try advance()
        if token == .symbol("(") {
          let arguments = try list(closedBy: ")")
          left = try node(.call(name, target: left, arguments: arguments), start, [left] + arguments)
        } else {
          left = try node(.select(left, name), left.position, [left])
        }
      } else if token == .symbol("[") {
        try advance()
        let index = try expression()
        try expect("]")
        left = try node(.index(left, index), left.position, [left, index])
      } else {
        return left
      }
    }
  }

  private mutating func primary() throws(ConditionSyntaxError) -> SyntaxNode {
    let start = position
    switch token {
    case .int(let value):
      try advance()
      return try node(.literal(.int(value)), start, [])
    case .string(let text):
      try advance()
      return try node(.literal(.string(text)), start, [])
    case .symbol("("):
      try advance()
      let inner = try expression()
      try expect(")")
      return inner
    case .symbol("["):
      let elements = try list(closedBy: "]")
      return try node(.list(elements), start, elements)
    case .identifier(let name):
      try advance()
      switch name {
      case "true": return try node(.literal(.bool(true)), start, [])
      case "false": return try node(.literal(.bool(false)), start, [])
      case "null": return try node(.literal(.null), start, [])
      default: break
      }
      guard token == .symbol("(") else { return try node(.identifier(name), start, []) }
      let arguments = try list(closedBy: ")")
      return try node(.call(name, target: nil, arguments: arguments), start, arguments)
    case .symbol, .end: throw unexpected("a value")
    }
  }

  /// Elements between the bracket at hand and its partner.
  private mutating func list(closedBy end: String) throws(ConditionSyntaxError) -> [SyntaxNode] {
    try advance()
    var elements: [SyntaxNode] = []
    while token != .symbol(end) {
      elements.append(try expression())
      guard token == .symbol(",") else { break }
      try advance()
      if end == ")", token == .symbol(end) { throw unexpected("an argument") }
    }
    try expect(end)
    return elements
  }

  // MARK: Tools

  private mutating func operands(
    of symbol: String, _ operand: (inout ConditionParser) throws(ConditionSyntaxError) -> SyntaxNode
  ) throws(ConditionSyntaxError) -> [SyntaxNode] {
    var operands = [try operand(&self)]
    while token == .symbol(symbol) {
      try advance()
      operands.append(try operand(&self))
    }
    return operands
  }

  private mutating func enter() throws(ConditionSyntaxError) {
    nesting += 1
    guard nesting <= SyntaxNode.maximumDepth else { throw Self.tooDeep(position) }
  }

  private static func tooDeep(_ position: SourcePosition) -> ConditionSyntaxError {
    position.error("the condition is nested deeper than \(SyntaxNode.maximumDepth) levels")
  }

  private func node(
    _ kind: SyntaxNode.Kind, _ position: SourcePosition, _ children: [SyntaxNode]
  ) throws(ConditionSyntaxError) -> SyntaxNode {
    let depth = 1 + (children.map(\.depth).max() ?? 0)
    guard depth <= SyntaxNode.maximumDepth else { throw Self.tooDeep(position) }
    return SyntaxNode(kind: kind, position: position, depth: depth)
  }

  /// After a dot, words are names.
  private var memberName: String? {
    switch token {
    case .identifier(let name): name
    case .symbol("in"): "in"
    default: nil
    }
  }

  private mutating func expect(_ symbol: String) throws(ConditionSyntaxError) {
    guard token == .symbol(symbol) else { throw unexpected("'\(symbol)'") }
    try advance()
  }

  private mutating func advance() throws(ConditionSyntaxError) { (token, position) = try lexer.next() }

  private func unexpected(_ wanted: String) -> ConditionSyntaxError {
    let hint =
      switch token {
      case .identifier("and"): "; use '&&'"
      case .identifier("or"): "; use '||'"
      case .identifier("not"): "; use '!'"
      default: ""
      }
    return position.error("expected \(wanted), found \(token.text)\(hint)")
  }
}
