/// A text with expressions in `$(…)`, parsed when the configuration is compiled.
struct RequestTemplate: Sendable {
  private enum Segment: @unchecked Sendable {
    case text(String)
    // Sound: a program is an immutable tree; closures and scopes come to be only while it runs, on one event loop.
    case expression(TemplateParser.Program)
  }

  private let segments: [Segment]
  /// Whether rendering may look at headers, so that they have to be taken before they are changed.
  let mentionsHeaders: Bool

  /// - Throws: `TemplateFailure` when an expression is not Lua, or more of Lua than templates can have.
  init(_ text: String) throws(TemplateFailure) {
    var segments: [Segment] = []
    var literal: [UInt8] = []
    let bytes = Array(text.utf8)
    var place = 0
    var mentionsHeaders = false
    while place < bytes.count {
      if bytes[place] == UInt8(ascii: "$"), let end = Self.closing(bytes, place + 1) {
        if !literal.isEmpty { segments.append(.text(String(decoding: literal, as: UTF8.self))) }
        literal = []
        let source = String(decoding: bytes[(place + 2)..<end], as: UTF8.self)
        if source.contains("headers") { mentionsHeaders = true }
        segments.append(.expression(try TemplateParser.expression(source)))
        place = end + 1
      } else {
        literal.append(bytes[place])
        place += 1
      }
    }
    if !literal.isEmpty { segments.append(.text(String(decoding: literal, as: UTF8.self))) }
    self.segments = segments
    self.mentionsHeaders = mentionsHeaders
  }

  /// Place of the parenthesis that balances the one at `start`; nil if there is none, and the text is literal.
  private static func closing(_ bytes: [UInt8], _ start: Int) -> Int? {
    guard start < bytes.count, bytes[start] == UInt8(ascii: "(") else { return nil }
    var depth = 0
    for place in start..<bytes.count {
      if bytes[place] == UInt8(ascii: "(") { depth += 1 }
      if bytes[place] == UInt8(ascii: ")") {
        depth -= 1
        if depth == 0 { return place }
      }
    }
    return nil
  }

  func render(_ environment: TemplateEnvironment) throws(TemplateFailure) -> String {
    if segments.count == 1, case .text(let text) = segments[0] { return text }
    var result = ""
    for segment in segments {
      switch segment {
      case .text(let text): result += text
      case .expression(let program):
        var evaluation = TemplateEvaluation(environment)
        result += try evaluation.run(program).rendered
      }
    }
    return result
  }
}
