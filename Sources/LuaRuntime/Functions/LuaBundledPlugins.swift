import EntityModel
import PluginKit

/// The bundled plugins whose configuration is Lua: `pre-function` and `post-function`.
///
/// Source: Kong fact, bundled-16 §12.
public enum LuaBundledPlugins {
  /// Their definitions for a node with these settings.
  public static func all(settings: LuaSettings) -> [PluginDefinition] {
    descriptions.map { description in
      PluginDefinition(
        description: description, phases: PhaseSet(phases), implementation: LuaFunctions(settings: settings))
    }
  }

  /// What validation needs to know of them; the same on every node.
  public static let descriptions: [PluginDescription] = ["pre-function", "post-function"].map { name in
    PluginDescription(
      name: name, origin: .bundled, priority: KongPlugins.priorities[name] ?? 0, version: "3.15.0",
      schema: schema(name), allowsCondition: false)
  }

  static let phases: [Phase] = [.certificate, .rewrite, .access, .headerFilter, .bodyFilter, .log]
  private static let webSocketPhases = ["ws_handshake", "ws_client_frame", "ws_upstream_frame", "ws_close"]

  private static func schema(_ name: String) -> PluginSchema {
    let fields =
      phases.map { RecordSchema.NamedField($0.name, functions) }
      + webSocketPhases.map { RecordSchema.NamedField($0, noFrameFunctions) }
    return PluginSchema(
      name: name,
      fields: [
        .init("consumer", .foreign("consumers").checked(by: .equal(.null))),
        .init("consumer_group", .foreign("consumer_groups").checked(by: .equal(.null))),
        .init("protocols", CommonFields.protocols),
        .init("config", .record(RecordSchema(fields)).asRequired()),
      ],
      entityChecks: [.atLeastOneOf(fields.map { "config.\($0.name)" })])
  }

  /// Kong names both plugins alike in the refusal of a text.
  private static var functions: FieldSchema {
    .array(
      of: .string.checked(
        by: .custom("lua_function") { value in
          value.string.flatMap { LuaSyntax.problem(of: $0) }.map { "error parsing pre-function: \($0)" }
        })
    ).asRequired().defaulting(to: .array([])).described("Lua texts that run in this phase, in order.")
  }

  /// Kong compatibility: frames of WebSocket connections pass unread, so that functions for them are refused.
  private static var noFrameFunctions: FieldSchema {
    noFunctions("functions for WebSocket phases are not supported; WebSocket connections pass without plugins")
  }

  private static func noFunctions(_ reason: String) -> FieldSchema {
    .array(of: .string).asRequired().defaulting(to: .array([])).checked(
      by: .custom("unavailable") { value in value.array?.isEmpty == false ? reason : nil })
  }
}
