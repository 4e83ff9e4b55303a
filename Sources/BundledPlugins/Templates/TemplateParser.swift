/// Reads the Lua of a template: any expression, and functions of locals, assignments, branches, loops and returns.
struct TemplateParser {
  private let tokens: [TemplateToken]
  private var place = 0
  private var depth = 0
  private var functions = [FunctionScope()]
  /// Whether the parts of the request have names.
  private let hasRoots: Bool

  /// The names of one function while it is read.
  private struct FunctionScope {
    var names: [(name: String, slot: Int)] = []
    var slots = 0
  }

  static let maximumDepth = 60

  /// What the body of a template or a custom field becomes.
  struct Program {
    let slots: Int
    let body: [TemplateStatement]
  }

  private init(_ text: String, hasRoots: Bool) throws(TemplateFailure) {
    tokens = try TemplateLexer.tokens(of: text)
    self.hasRoots = hasRoots
  }

  /// One expression, as between `$(` and `)`.
  static func expression(_ text: String) throws(TemplateFailure) -> Program {
    var parser = try TemplateParser(text, hasRoots: true)
    let expression = try parser.expression()
    guard parser.token == .end else { throw parser.unexpected() }
    return Program(slots: parser.functions[0].slots, body: [.result(expression)])
  }

  /// A whole chunk, as in `custom_fields_by_lua`.
  static func chunk(_ text: String) throws(TemplateFailure) -> Program {
    var parser = try TemplateParser(text, hasRoots: false)
    let body = try parser.block()
    guard parser.token == .end else { throw parser.unexpected() }
    return Program(slots: parser.functions[0].slots, body: body)
  }

  private var token: TemplateToken { tokens[min(place, tokens.count - 1)] }

  private func unexpected() -> TemplateFailure {
    switch token {
    case .name(let text), .symbol(let text), .string(let text):
      TemplateFailure("unexpected symbol near '\(text)'")
    case .number(let number): TemplateFailure("unexpected symbol near '\(TemplateValue.text(of: number))'")
    case .end: TemplateFailure("unexpected symbol near '<eof>'")
    }
  }

  private mutating func take(_ symbol: String) -> Bool {
    guard token == .symbol(symbol) || token == .name(symbol) else { return false }
    place += 1
    return true
  }

  private mutating func expect(_ symbol: String) throws(TemplateFailure) {
    guard take(symbol) else { throw unexpected() }
  }

  private static let keywords: Set<String> = [
    "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil", "not", "or",
    "repeat", "return", "then", "true", "until", "while", "goto",
  ]

  private mutating func name() throws(TemplateFailure) -> String {
    guard case .name(let text) = token, !Self.keywords.contains(text) else { throw unexpected() }
    place += 1
    return text
  }

  private mutating func enter() throws(TemplateFailure) {
    depth += 1
    if depth > Self.maximumDepth { throw TemplateFailure("nested deeper than \(Self.maximumDepth) levels") }
  }

  // MARK: Names

  private mutating func declare(_ name: String) -> Int {
    let index = functions.count - 1
    let slot = functions[index].slots
    functions[index].slots += 1
    functions[index].names.append((name, slot))
    return slot
  }

  private func find(_ name: String) -> (depth: Int, slot: Int)? {
    for (distance, function) in functions.reversed().enumerated() {
      if let found = function.names.last(where: { $0.name == name }) { return (distance, found.slot) }
    }
    return nil
  }

  /// Globals of Lua and of the gateway that are not to be had in templates.
  private static let unavailable: Set<String> = [
    "kong", "ngx", "os", "io", "table", "math", "pairs", "ipairs", "next", "pcall", "xpcall", "error", "assert",
    "require", "select", "unpack", "setmetatable", "getmetatable", "rawget", "rawset", "rawequal", "load",
    "loadstring", "dofile", "loadfile", "coroutine", "debug", "package", "_G", "print", "bit", "jit", "utf8",
  ]

  private func resolve(_ name: String) throws(TemplateFailure) -> TemplateExpression {
    if let (depth, slot) = find(name) { return .local(depth: depth, slot: slot) }
    switch name {
    case "headers" where hasRoots: return .constant(.root(.headers))
    case "query_params" where hasRoots: return .constant(.root(.queryParams))
    case "uri_captures" where hasRoots: return .constant(.root(.uriCaptures))
    case "shared" where hasRoots: return .constant(.root(.shared))
    case "string": return .constant(.root(.stringLibrary))
    default:
      if let function = TemplateLibrary.globals[name] { return .constant(.function(.library(function))) }
      if Self.unavailable.contains(name) {
        throw TemplateFailure(
          "'\(name)' cannot be used here: what may be used is "
            + (hasRoots ? "headers, query_params, uri_captures, shared, " : "") + "string, type, tostring and tonumber")
      }
      return .constant(.none)
    }
  }

  // MARK: Expressions

  private mutating func expression() throws(TemplateFailure) -> TemplateExpression {
    try enter()
    defer { depth -= 1 }
    return try disjunction()
  }

  private mutating func disjunction() throws(TemplateFailure) -> TemplateExpression {
    var left = try conjunction()
    while take("or") { left = .or(left, try conjunction()) }
    return left
  }

  private mutating func conjunction() throws(TemplateFailure) -> TemplateExpression {
    var left = try comparison()
    while take("and") { left = .and(left, try comparison()) }
    return left
  }

  private static let comparisons: [(String, TemplateOperator)] = [
    ("==", .equal), ("~=", .unequal), ("<=", .lessOrEqual), (">=", .greaterOrEqual), ("<", .less), (">", .greater),
  ]

  private mutating func comparison() throws(TemplateFailure) -> TemplateExpression {
    var left = try concatenation()
    while let (symbol, kind) = Self.comparisons.first(where: { token == .symbol($0.0) }) {
      _ = take(symbol)
      left = .binary(kind, left, try concatenation())
    }
    return left
  }

  private mutating func concatenation() throws(TemplateFailure) -> TemplateExpression {
    var parts = [try sum()]
    while take("..") { parts.append(try sum()) }
    guard var result = parts.popLast() else { throw unexpected() }
    while let left = parts.popLast() { result = .binary(.concatenate, left, result) }
    return result
  }

  private mutating func sum() throws(TemplateFailure) -> TemplateExpression {
    var left = try product()
    while true {
      if take("+") {
        left = .binary(.add, left, try product())
      } else if take("-") {
        left = .binary(.subtract, left, try product())
      } else {
        return left
      }
    }
  }

  private mutating func product() throws(TemplateFailure) -> TemplateExpression {
    var left = try unary()
    while true {
      if take("*") {
        left = .binary(.multiply, left, try unary())
      } else if take("/") {
        left = .binary(.divide, left, try unary())
      } else if take("%") {
        left = .binary(.modulo, left, try unary())
      } else {
        return left
      }
    }
  }

  private mutating func unary() throws(TemplateFailure) -> TemplateExpression {
    try enter()
    defer { depth -= 1 }
    if take("not") { return .not(try unary()) }
    if take("-") { return .negative(try unary()) }
    if take("#") { return .length(try unary()) }
    let base = try suffixed()
    if take("^") { return .binary(.power, base, try unary()) }
    return base
  }

  private mutating func suffixed() throws(TemplateFailure) -> TemplateExpression {
    var result: TemplateExpression
    switch token {
    case .number(let number):
      place += 1
      return .constant(.number(number))
    case .string(let text):
      place += 1
      return .constant(.string(text))
    case .name("nil"), .name("true"), .name("false"):
      let value: TemplateValue = token == .name("nil") ? .none : .bool(token == .name("true"))
      place += 1
      return .constant(value)
    case .name("function"):
      place += 1
      return try function()
    case .symbol("{"):
      throw TemplateFailure("tables cannot be made in a template")
    case .symbol("("):
      place += 1
      result = try expression()
      try expect(")")
    default:
      result = try resolve(try name())
    }
    while true {
      switch token {
      case .symbol("."):
        place += 1
        result = .index(result, .constant(.string(try name())))
      case .symbol("["):
        place += 1
        result = .index(result, try expression())
        try expect("]")
      case .symbol(":"):
        place += 1
        let method = try name()
        result = .method(result, method, try arguments())
      case .symbol("("), .string:
        result = .call(result, try arguments())
      default: return result
      }
    }
  }

  private mutating func arguments() throws(TemplateFailure) -> [TemplateExpression] {
    if case .string(let text) = token {
      place += 1
      return [.constant(.string(text))]
    }
    try expect("(")
    if take(")") { return [] }
    var list = [try expression()]
    while take(",") { list.append(try expression()) }
    try expect(")")
    return list
  }

  private mutating func function() throws(TemplateFailure) -> TemplateExpression {
    try enter()
    defer { depth -= 1 }
    functions.append(FunctionScope())
    try expect("(")
    var parameters = 0
    if !take(")") {
      repeat {
        _ = declare(try name())
        parameters += 1
      } while take(",")
      try expect(")")
    }
    let body = try block()
    try expect("end")
    return .function(parameters: parameters, slots: functions.removeLast().slots, body: body)
  }

  // MARK: Statements

  private mutating func block() throws(TemplateFailure) -> [TemplateStatement] {
    try enter()
    defer { depth -= 1 }
    let outerNames = functions[functions.count - 1].names
    defer { functions[functions.count - 1].names = outerNames }
    var statements: [TemplateStatement] = []
    while true {
      switch token {
      case .end, .name("end"), .name("else"), .name("elseif"), .name("until"): return statements
      case .symbol(";"): place += 1
      case .name("return"):
        place += 1
        statements.append(.result(endsBlock ? nil : try expression()))
        _ = take(";")
        guard endsBlock else { throw unexpected() }
        return statements
      default: statements.append(try statement())
      }
    }
  }

  private var endsBlock: Bool {
    switch token {
    case .end, .symbol(";"), .name("end"), .name("else"), .name("elseif"), .name("until"): true
    default: false
    }
  }

  private mutating func statement() throws(TemplateFailure) -> TemplateStatement {
    if take("local") { return try localStatement() }
    if take("if") { return try branchStatement() }
    if take("do") {
      let body = try block()
      try expect("end")
      return .block(body)
    }
    if take("while") {
      let condition = try expression()
      try expect("do")
      let body = try block()
      try expect("end")
      return .repeatWhile(condition, body)
    }
    if take("for") { return try loopStatement() }
    if take("break") { return .leaveLoop }
    let target = try suffixed()
    switch target {
    case .call, .method: return .call(target)
    case .local(let depth, let slot):
      try expect("=")
      return .assign([(depth, slot)], [try expression()])
    default:
      guard token == .symbol("=") else { throw unexpected() }
      throw TemplateFailure("only local variables can be set in a template")
    }
  }

  private mutating func localStatement() throws(TemplateFailure) -> TemplateStatement {
    if take("function") {
      let slot = declare(try name())
      return .assign([(0, slot)], [try function()])
    }
    var names = [try name()]
    while take(",") { names.append(try name()) }
    var values: [TemplateExpression] = []
    if take("=") {
      repeat { values.append(try expression()) } while take(",")
    }
    return .assign(names.map { (0, declare($0)) }, values)
  }

  private mutating func branchStatement() throws(TemplateFailure) -> TemplateStatement {
    var branches: [(condition: TemplateExpression, body: [TemplateStatement])] = []
    repeat {
      let condition = try expression()
      try expect("then")
      branches.append((condition, try block()))
    } while take("elseif")
    let otherwise = take("else") ? try block() : []
    try expect("end")
    return .branch(branches, otherwise: otherwise)
  }

  private mutating func loopStatement() throws(TemplateFailure) -> TemplateStatement {
    let variable = try name()
    guard take("=") else { throw TemplateFailure("of loops only 'while' and numeric 'for' can be used in a template") }
    let first = try expression()
    try expect(",")
    let last = try expression()
    let step = take(",") ? try expression() : nil
    try expect("do")
    let outerNames = functions[functions.count - 1].names
    let slot = declare(variable)
    let body = try block()
    functions[functions.count - 1].names = outerNames
    try expect("end")
    return .numericLoop(slot: slot, from: first, to: last, step: step, body: body)
  }
}
