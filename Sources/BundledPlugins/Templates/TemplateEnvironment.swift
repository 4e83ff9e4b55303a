import Expressions
import PluginKit

/// What the templates of one run of a plugin see.
///
/// Each part is taken when it is first asked for and then stays, as in Kong: a template of a later stage does not see
/// what the stages in between changed if an earlier one had looked before. Source: Kong fact, bundled-16 §8.
final class TemplateEnvironment {
  private let context: RequestContext
  private var headers: HeaderBlock?
  private var query: Arguments?

  init(_ context: RequestContext) { self.context = context }

  /// Takes the headers now, before they are changed.
  func captureHeaders() {
    if headers == nil { headers = context.requestHeaders }
  }

  /// The query as it was when first asked for.
  var queryArguments: Arguments {
    if let query { return query }
    let taken = Arguments(queryOf: context)
    query = taken
    return taken
  }

  func index(_ object: TemplateValue, _ key: TemplateValue) throws(TemplateFailure) -> TemplateValue {
    switch object {
    case .root(let root): return self[root, key]
    case .list(let list):
      guard let number = key.coercedNumber, let place = Int(exactly: number), list.indices.contains(place - 1) else {
        return .none
      }
      return list[place - 1]
    case .map(let members): return key.coercedText.flatMap { members[$0] } ?? .none
    case .string:
      guard case .string(let name) = key else { return .none }
      return TemplateLibrary.strings[name].map { .function(.library($0)) } ?? .none
    case .none, .bool, .number, .function:
      throw TemplateFailure(
        "attempt to index a \(object.typeName) value" + (key.coercedText.map { " (field '\($0)')" } ?? ""))
    }
  }

  func method(_ name: String, of object: TemplateValue) throws(TemplateFailure) -> TemplateValue {
    try index(object, .string(name))
  }

  private subscript(root: TemplateRoot, key: TemplateValue) -> TemplateValue {
    switch root {
    case .headers:
      guard let name = key.coercedText else { return .none }
      captureHeaders()
      return header(name)
    case .queryParams: return key.coercedText.flatMap { queryArguments[$0] }.map { TemplateValue($0) } ?? .none
    case .uriCaptures: return capture(key)
    case .shared:
      guard let name = key.coercedText else { return .none }
      if let value = context.sharedValues[name] { return TemplateValue(ConditionValue(value)) }
      guard let shared = context.scriptState as? any SharedContextValues else { return .none }
      return TemplateValue(shared.sharedValue(forKey: name))
    case .stringLibrary:
      return key.coercedText.flatMap { TemplateLibrary.strings[$0] }.map { .function(.library($0)) } ?? .none
    }
  }

  /// Names are compared without case; an underscore also stands for a hyphen.
  private func header(_ name: String) -> TemplateValue {
    guard let headers else { return .none }
    var values = headers.values(of: name)
    if values.isEmpty, name.utf8.contains(UInt8(ascii: "_")) {
      values = headers.values(of: name.replacing("_", with: "-"))
    }
    switch values.count {
    case 0: return .none
    case 1: return .string(values[0])
    default: return .list(values.map { .string($0) })
    }
  }

  private func capture(_ key: TemplateValue) -> TemplateValue {
    guard let captures = context.uriCaptures else { return .none }
    switch key {
    case .number(let number):
      guard let place = Int(exactly: number), captures.unnamed.indices.contains(place) else { return .none }
      return captures.unnamed[place].map { .string($0) } ?? .none
    case .string(let name): return captures.named[name].map { .string($0) } ?? .none
    default: return .none
    }
  }
}
