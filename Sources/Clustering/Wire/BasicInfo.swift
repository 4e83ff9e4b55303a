import EntityModel

/// The first frame of a data plane: what it is (Kong fact, hybrid §3).
public struct BasicInfo: Sendable {
  /// Versions of the plugins that the node has, by name.
  public var plugins: [String: String]
  /// The node's settings, secrets hidden.
  public var processConfiguration: [String: JSONValue]
  public var labels: [String: String]
  /// Whether the node reads differences between messages (``MessageDifference``).
  var takesDifferences = false

  public init(
    plugins: [String: String], processConfiguration: [String: JSONValue] = [:], labels: [String: String] = [:]
  ) {
    self.plugins = plugins
    self.processConfiguration = processConfiguration
    self.labels = labels
  }

  private static let differencesKey = "sluice_differences"

  /// Whether the node takes streamed plugins.
  var takesStreamedPlugins: Bool {
    switch processConfiguration["custom_plugin_streaming_enabled"] {
    case .bool(let value): value
    case .string(let value): value == "on" || value == "true"
    default: false
    }
  }

  func serialized() -> [UInt8] {
    let list = plugins.sorted { $0.key.lowercased() < $1.key.lowercased() }
    var message: [String: JSONValue] = [
      "type": "basic_info",
      "plugins": .array(list.map { ["name": .string($0.key), "version": .string($0.value)] }),
      "process_conf": .object(processConfiguration),
      "filters": .object([:]),
    ]
    if takesDifferences { message[Self.differencesKey] = .integer(MessageDifference.version) }
    if !labels.isEmpty { message["labels"] = .object(labels.mapValues { .string($0) }) }
    return JSONValue.object(message).serialized()
  }

  /// Reads a first frame; the error is Kong's text.
  init(parsing bytes: some Collection<UInt8>) throws(ProtocolFailure) {
    let message: JSONValue
    do {
      message = try JSONValue(parsing: bytes)
    } catch {
      throw ProtocolFailure("failed to decode basic info data: \(error)")
    }
    guard message["type"] == "basic_info" else { throw ProtocolFailure("invalid basic info data type") }
    guard let list = message["plugins"]?.array else {
      throw ProtocolFailure("missing plugins in basic info data")
    }
    plugins = [:]
    for item in list {
      guard let name = item["name"]?.string else { continue }
      plugins[name] = item["version"]?.string ?? ""
    }
    processConfiguration = message["process_conf"]?.object ?? [:]
    takesDifferences = message[Self.differencesKey] == .integer(MessageDifference.version)
    labels = (message["labels"]?.object ?? [:]).compactMapValues(\.string)
  }
}

/// A peer that does not keep to the protocol.
struct ProtocolFailure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
