import EntityModel
import PluginKit

/// The page of bundled plugins, made from their declarations.
struct PluginReference {
  let definitions: [PluginDefinition]

  func markdown() -> String {
    var page = """
      # Bundled plugins

      Made from the declarations in the program. An instance of any other plugin is refused; streamed plugins
      ([plugin-authors.md](plugin-authors.md)) and clones ([plugin-updates.md](plugin-updates.md)) stand beside these. Every
      plugin can be global. Protocols are those of an instance that names none; those in brackets may be named. What is
      refused is told [below](#what-is-refused), with the sentence that a client gets.

      | plugin | priority | phases | protocols | scopes | can be cloned | condition | refused |
      |---|---|---|---|---|---|---|---|

      """
    let sorted = definitions.sorted { ($0.priority, $0.name) > ($1.priority, $1.name) }
    for definition in sorted { page += row(definition) }
    page += "\n## What is refused\n\n"
    for definition in sorted {
      let refusals = Refusal.all(of: definition.description.schema)
      guard !refusals.isEmpty else { continue }
      page += "### `\(definition.name)`\n\n"
      for refusal in refusals { page += "- `\(refusal.path)`: \(refusal.sentence)\n" }
      page += "\n"
    }
    return String(page.dropLast())
  }

  private func row(_ definition: PluginDefinition) -> String {
    let phases = Phase.allCases.filter(definition.phases.contains).map { "`\($0.name)`" }.joined(separator: ", ")
    let schema = definition.description.schema
    let scopes = ["service", "route", "consumer", "consumer_group"].filter { scope in
      schema[scope]?.checks.contains { if case .equal(.null) = $0 { true } else { false } } != true
    }
    let refusals = Refusal.all(of: schema).map { "`\($0.path)`" }
    let shown = refusals.count > 4 ? Array(refusals.prefix(3)) + ["\(refusals.count - 3) more"] : refusals
    let cells = [
      "`\(definition.name)`", "\(definition.priority)", phases, Self.protocols(of: schema),
      scopes.joined(separator: ", "), KongPlugins.cloneable.contains(definition.name) ? "yes" : "no",
      definition.description.allowsCondition ? "yes" : "no", shown.joined(separator: ", "),
    ]
    return "| \(cells.joined(separator: " | ")) |\n"
  }

  private static func protocols(of schema: PluginSchema) -> String {
    guard let field = schema["protocols"] else { return "grpc, grpcs, http, https" }
    let usual = field.defaultValue?.array?.compactMap(\.string) ?? []
    guard case .set(let element) = field.kind else { return usual.joined(separator: ", ") }
    let more = element.checks.flatMap { check -> [String] in
      guard case .oneOf(let values) = check else { return [] }
      return values.compactMap(\.string).filter { !usual.contains($0) }
    }
    return usual.joined(separator: ", ") + (more.isEmpty ? "" : " (\(more.joined(separator: ", ")))")
  }
}

/// A field of a plugin that cannot be honoured, or not with every value: the check of the declaration is called
/// `unavailable`.
private struct Refusal {
  /// From the plugin's configuration.
  let path: String
  let sentence: String

  static func all(of schema: PluginSchema) -> [Refusal] {
    guard case .record(let config)? = schema["config"]?.kind else { return [] }
    return refusals(in: config, below: "")
  }

  private static func refusals(in record: RecordSchema, below path: String) -> [Refusal] {
    record.fields.flatMap { refusals(of: $0.schema, at: path.isEmpty ? $0.name : "\(path).\($0.name)") }
  }

  private static func refusals(of field: FieldSchema, at path: String) -> [Refusal] {
    var found: [Refusal] = []
    for check in field.checks {
      if case .custom("unavailable", let violation) = check,
        let sentence = samples(of: field).lazy.compactMap(violation).first
      {
        found.append(Refusal(path: path, sentence: sentence))
      }
    }
    switch field.kind {
    case .record(let inner): found += refusals(in: inner, below: path)
    case .array(let element), .set(let element): found += refusals(of: element, at: path)
    case .map(_, let values): found += refusals(of: values, at: path)
    case .variant(let schema):
      for variant in schema.variants { found += refusals(in: variant.record, below: "\(path).\(variant.name)") }
    default: break
    }
    return found
  }

  /// Values of the field's type, among them each that the declaration names, to learn what the check says.
  private static func samples(of field: FieldSchema) -> [JSONValue] {
    let named = field.checks.flatMap { check -> [JSONValue] in
      if case .oneOf(let values) = check { values } else { [] }
    }
    switch field.kind {
    case .boolean: return [true, false]
    case .integer, .number: return named + [1, 0]
    case .string: return named + ["x"]
    case .array(let element), .set(let element): return samples(of: element).map { .array([$0]) } + [.array([])]
    case .map(_, let values): return samples(of: values).map { .object(["x": $0]) }
    case .record, .variant, .json, .foreign: return named + [.object(["x": 1]), "x"]
    }
  }
}
