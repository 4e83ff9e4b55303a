import EntityModel
import Logging
import PluginKit

/// `custom_fields_by_lua` of the log plugins. Source: Kong fact, bundled-16 §16.
///
/// Kong compatibility: the chunks are run here, without `kong` and `ngx`; those that name them are refused.
struct CustomLogFields: @unchecked Sendable {
  // Sound: programs are immutable trees; what running them makes stays on the event loop of the request.
  private let fields: [(key: String, program: TemplateParser.Program)]

  var isEmpty: Bool { fields.isEmpty }

  init(_ instance: PluginInstance) throws(PluginCompileError) {
    var fields: [(key: String, program: TemplateParser.Program)] = []
    let chunks = instance.config["custom_fields_by_lua"]?.object ?? [:]
    for key in chunks.keys.sorted() {
      guard let text = chunks[key]?.string else { continue }
      do {
        fields.append((key, try TemplateParser.chunk(text)))
      } catch {
        throw PluginCompileError(plugin: instance.pluginName, reason: "config.custom_fields_by_lua.\(key): \(error)")
      }
    }
    self.fields = fields
  }

  @Sendable static func violation(_ value: JSONValue) -> String? {
    guard let text = value.string else { return nil }
    do {
      _ = try TemplateParser.chunk(text)
      return nil
    } catch {
      return "Error parsing function: \(error)"
    }
  }

  /// Sets the fields for this and later log plugins of the request; one that fails is left out.
  func apply(to context: RequestContext, plugin: String, logger: Logger) {
    if fields.isEmpty { return }
    let environment = TemplateEnvironment(context)
    for (key, program) in fields {
      do {
        var evaluation = TemplateEvaluation(environment)
        let value = try evaluation.run(program)
        context.serializeValues.append(SerializeValue(key: key, value: value.json, mode: .set))
      } catch {
        logger.error("plugin '\(plugin)': custom field '\(key)' has no value: \(error)")
      }
    }
  }
}

extension TemplateValue {
  /// Nil for nil and for functions.
  var json: JSONValue? {
    switch self {
    case .none, .function, .root: nil
    case .bool(let value): .bool(value)
    case .number(let number):
      if let whole = Int64(exactly: number) { .integer(whole) } else { number.isFinite ? .number(number) : nil }
    case .string(let text): .string(text)
    case .list(let values): .array(values.map { $0.json ?? .null })
    case .map(let members): .object(members.compactMapValues(\.json))
    }
  }
}
