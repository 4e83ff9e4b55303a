/// Finds the endpoint of a path. Made once; the endpoints do not change while the Admin API runs.
struct EndpointTable: Sendable {
  struct Match: Sendable {
    var endpoint: AdminEndpoint
    /// Decoded path parameters in order.
    var parameters: [String]
  }

  /// Every endpoint in the order of `/endpoints`.
  let endpoints: [AdminEndpoint]
  private let byCount: [Int: [AdminEndpoint]]
  private let firstLiterals: Set<String>

  init(_ endpoints: [AdminEndpoint]) {
    self.endpoints = endpoints.sorted { PathPattern.isListedBefore($0.pattern, $1.pattern) }
    var byCount: [Int: [AdminEndpoint]] = [:]
    var firstLiterals: Set<String> = []
    for endpoint in self.endpoints {
      byCount[endpoint.pattern.segments.count, default: []].append(endpoint)
      if case .literal(let text)? = endpoint.pattern.segments.first { firstLiterals.insert(text) }
    }
    self.byCount = byCount.mapValues { $0.sorted { $0.pattern.isMoreSpecific(than: $1.pattern) } }
    self.firstLiterals = firstLiterals
  }

  /// The endpoint of a path without its query, nil for an unknown path.
  ///
  /// A trailing slash is accepted, empty segments elsewhere are not. A path may start with the name or id of the
  /// default workspace.
  /// - Throws: `AdminRefusal` (404) for another workspace, and for parameters that are not valid UTF-8.
  func match(path: String) throws(AdminRefusal) -> Match? {
    guard path.hasPrefix("/") else { return nil }
    var segments = path.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
    if segments.last?.isEmpty == true { segments.removeLast() }
    guard !segments.contains(where: \.isEmpty) else { return nil }
    if let match = try match(segments: segments[...]) { return match }
    guard let first = segments.first, !firstLiterals.contains(String(first)) else { return nil }
    guard let workspace = PercentCoding.decode(first, plusAsSpace: false) else { return nil }
    if DefaultWorkspace.isAddressed(by: workspace) { return try match(segments: segments.dropFirst()) }
    guard segments.count > 1, try match(segments: segments.dropFirst()) != nil else { return nil }
    throw .message(404, "Workspace '\(workspace)' not found")
  }

  private func match(segments: ArraySlice<Substring>) throws(AdminRefusal) -> Match? {
    for endpoint in byCount[segments.count] ?? [] {
      guard let values = endpoint.pattern.match(segments) else { continue }
      var parameters: [String] = []
      for value in values {
        guard let decoded = PercentCoding.decode(value, plusAsSpace: false) else { throw .notFound }
        parameters.append(decoded)
      }
      return Match(endpoint: endpoint, parameters: parameters)
    }
    return nil
  }
}
