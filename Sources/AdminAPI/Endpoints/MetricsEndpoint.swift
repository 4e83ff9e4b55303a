import EntityModel

/// One metric in Prometheus' words.
public struct NodeMetric: Sendable {
  public struct Sample: Sendable {
    public var labels: [(name: String, value: String)]
    public var value: Int

    public init(labels: [(name: String, value: String)], value: Int) {
      self.labels = labels
      self.value = value
    }
  }

  public var name: String
  /// Otherwise it is a gauge.
  public var isCounter: Bool
  public var summary: String
  public var samples: [Sample]

  public init(name: String, isCounter: Bool, summary: String, samples: [Sample]) {
    self.name = name
    self.isCounter = isCounter
    self.summary = summary
    self.samples = samples
  }

  /// The text exposition format; a metric without samples is left out.
  var exposition: String {
    guard !samples.isEmpty else { return "" }
    var text = "# HELP \(name) \(summary)\n# TYPE \(name) \(isCounter ? "counter" : "gauge")\n"
    for line in samples.map(line).sorted() { text += line }
    return text
  }

  private func line(_ sample: Sample) -> String {
    let labels = sample.labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",")
    return name + (labels.isEmpty ? "" : "{\(labels)}") + " \(sample.value)\n"
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for character in value.unicodeScalars {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.unicodeScalars.append(character)
      }
    }
    return text
  }
}

/// Figures of the node in Prometheus' text format: those of nginx under Kong's names, and those of Lua plugins.
enum MetricsEndpoint {
  static let all: [AdminEndpoint] = [
    AdminEndpoint(
      "/metrics", "Gives figures of the node in the text format of Prometheus.",
      [.get: { _, services in await metrics(services) }])
  ]

  private static func metrics(_ services: AdminServices) async -> AdminResponse {
    let statistics = await services.node.statistics
    let states = [
      ("accepted", statistics.connectionsAccepted), ("active", statistics.connectionsActive),
      ("handled", statistics.connectionsHandled), ("reading", statistics.connectionsReading),
      ("waiting", statistics.connectionsWaiting), ("writing", statistics.connectionsWriting),
    ]
    let node = ("node_id", services.node.identity.id)
    var metrics = [
      NodeMetric(
        name: "kong_nginx_connections_total", isCounter: false, summary: "Number of connections by state",
        samples: states.map { .init(labels: [node, ("subsystem", "http"), ("state", $0.0)], value: $0.1) }),
      NodeMetric(
        name: "kong_nginx_requests_total", isCounter: false, summary: "Number of requests",
        samples: [.init(labels: [node, ("subsystem", "http")], value: statistics.totalRequests)]),
    ]
    metrics += await services.node.luaMetrics
    return AdminResponse(
      status: 200, body: .text(metrics.map(\.exposition).joined(), type: "text/plain; charset=UTF-8"))
  }
}
