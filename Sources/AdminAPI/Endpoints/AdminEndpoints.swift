import EntityModel

/// Every endpoint of the Admin API. To add one, write `Endpoints/<Name>Endpoint.swift` and add its list here.
public enum AdminEndpoints {
  /// The endpoints of the Admin API or of the Status API.
  static func of(_ surface: AdminAPIConfiguration.Surface, isOn: (String) -> Bool) -> [AdminEndpoint] {
    switch surface {
    case .full: all(isOn: isOn)
    case .status: StatusEndpoints.all
    }
  }

  /// - Parameter isOn: whether a setting that entities depend on is on, by name.
  public static func all(
    of kinds: [EntityDefinition] = EntityCatalogue.all, isOn: (String) -> Bool
  ) -> [AdminEndpoint] {
    let present = kinds.filter { $0.requiredSetting.map(isOn) ?? true }
    let absent = kinds.filter { !($0.requiredSetting.map(isOn) ?? true) }
    return NodeEndpoints.all + MetricsEndpoint.all + DiagnosticEndpoints.all + ConfigEndpoint.all
      + ClusteringEndpoints.all + WorkspaceEndpoints.all + TagEndpoints.all + SchemaEndpoints.all(of: present)
      + ConsumerGroupEndpoints.adding(to: EntityEndpoints.all(of: present), of: present)
      + UpstreamEndpoints.all(of: present)
      + absent.flatMap(Self.absent)
  }

  /// The endpoints of an entity that does not exist while its setting is off.
  private static func absent(_ kind: EntityDefinition) -> [AdminEndpoint] {
    guard let path = kind.adminPath, let setting = kind.requiredSetting else { return [] }
    let reason = "Not found: /\(path) exists only while \(setting) is on"
    return ["/\(path)", "/\(path)/{\(kind.name)}"].map { AdminEndpoint(absent: $0, because: reason) }
  }

  /// The reference page of the Admin API, in Markdown: every endpoint with its methods and a sentence.
  public static func referenceMarkdown() -> String {
    let endpoints = EndpointTable(all { _ in true }).endpoints
    var page = """
      # Admin API reference

      Every path below takes `HEAD` where it takes `GET`, and `OPTIONS`. Paths may start with `/default`, the \
      workspace. Lists take `size` (1 to 1000), `offset` and `tags` (`a,b` for all of them, `a/b` for any of them).

      """
    var section = ""
    for endpoint in endpoints {
      let first = endpoint.path.split(separator: "/").first.map { "/\($0)" } ?? "/"
      if first != section {
        section = first
        page += "\n## `\(section)`\n\n| path | methods | what it does |\n|---|---|---|\n"
      }
      let methods = endpoint.methods.map(\.rawValue).joined(separator: ", ")
      page += "| `\(endpoint.path)` | \(methods) | \(endpoint.summary) |\n"
    }
    return page
  }
}
