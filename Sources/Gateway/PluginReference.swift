import EntityModel
import PluginKit

/// The page of bundled plugins, made from their declarations.
struct PluginReference {
  let definitions: [PluginDefinition]

  func markdown() -> String {
    var page = """
      # Bundled plugins

      Made from the declarations in the program. An instance of any other plugin is refused; streamed plugins
      ([plugin-authors.md](plugin-authors.md)) and clones stand beside these.

      | plugin | priority | phases | protocols | not limited to | can be cloned | condition |
      |---|---|---|---|---|---|---|

      """
    for definition in definitions.sorted(by: { ($0.priority, $0.name) > ($1.priority, $1.name) }) {
      let phases = Phase.allCases.filter(definition.phases.contains).map { "`\($0.name)`" }.joined(separator: ", ")
      let schema = definition.description.schema
      let protocols = schema["protocols"]?.defaultValue?.array?.compactMap(\.string).joined(separator: ", ") ?? "all"
      let forbidden = ["consumer", "consumer_group", "route", "service"].filter { scope in
        schema[scope]?.checks.contains { if case .equal(.null) = $0 { true } else { false } } ?? false
      }
      let isCloneable = KongPlugins.cloneable.contains(definition.name)
      page +=
        "| `\(definition.name)` | \(definition.priority) | \(phases) | \(protocols) "
        + "| \(forbidden.joined(separator: ", ")) | \(isCloneable ? "yes" : "no") "
        + "| \(definition.description.allowsCondition ? "yes" : "no") |\n"
    }
    return page
  }
}
