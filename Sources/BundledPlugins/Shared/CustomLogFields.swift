import EntityModel
import Logging
import PluginKit

/// `custom_fields_by_lua` of the log plugins. Source: Kong fact, bundled-16 §16.
struct CustomLogFields: Sendable {
  private let keys: [String]
  private let scripts: any PluginScripts

  init(_ instance: PluginInstance, _ services: PluginServices) throws(PluginCompileError) {
    let chunks = instance.config["custom_fields_by_lua"]?.object ?? [:]
    var keys: [String] = []
    var texts: [String] = []
    for key in chunks.keys.sorted() {
      guard let text = chunks[key]?.string else { continue }
      if let problem = LuaSyntax.problem(of: text) {
        throw PluginCompileError(plugin: instance.pluginName, reason: "config.custom_fields_by_lua.\(key): \(problem)")
      }
      keys.append(key)
      texts.append(text)
    }
    self.keys = keys
    scripts = services.scripts.scripts(texts, .value, plugin: instance.pluginName)
  }

  @Sendable static func violation(_ value: JSONValue) -> String? {
    value.string.flatMap { LuaSyntax.problem(of: $0) }.map { "Error parsing function: \($0)" }
  }

  func prepare(on loop: LoopServices) throws(PluginCompileError) {
    if !keys.isEmpty { try scripts.prepare(on: loop) }
  }

  /// Sets the fields for this and later log plugins of the request; one that fails is left out.
  func apply(to context: RequestContext, plugin: String, logger: Logger) {
    for (index, key) in keys.enumerated() {
      do throws(PluginScriptError) {
        let value = try scripts.run(index, with: nil, in: context)
        context.serializeValues.append(SerializeValue(key: key, value: value, mode: .set))
      } catch {
        logger.error("plugin '\(plugin)': custom field '\(key)' has no value: \(error)")
      }
    }
  }
}
