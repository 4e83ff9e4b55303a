import EntityModel

/// Every plugin that a snapshot may run, by name: bundled, streamed and cloned alike.
public struct PluginRegistry: Sendable {
  private var definitions: [String: PluginDefinition]

  /// Of definitions with the same name the first wins; the store keeps names unique.
  public init(_ definitions: some Sequence<PluginDefinition> = []) {
    self.definitions = Dictionary(definitions.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
  }

  public subscript(name: String) -> PluginDefinition? { definitions[name] }

  public var names: [String] { definitions.keys.sorted() }
}
