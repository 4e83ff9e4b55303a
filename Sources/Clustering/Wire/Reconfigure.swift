import Crypto
import EntityModel
import Zlib

/// A configuration as a data plane received it, from its control plane or from its last-good copy.
public struct ReceivedConfiguration: Sendable {
  /// `_format_version`, `_transform` and one array per kind of entity; foreign fields are ids (Kong fact, hybrid §3).
  public let configTable: JSONValue
  /// 32 characters that name this state of the configuration.
  public let hash: String
  /// Hashes of the parts, by the names `config`, `routes`, `services`, `plugins`, `upstreams` and `targets`.
  public let hashes: [String: String]
  /// Kinds of entities that the control plane left out for this node. The hash is that of the whole configuration, so
  /// two receipts are the same only if this is the same, too.
  public let withheld: [String]

  public init(configTable: JSONValue, hash: String, hashes: [String: String], withheld: [String] = []) {
    self.configTable = configTable
    self.hash = hash
    self.hashes = hashes
    self.withheld = withheld
  }

  func isSame(as other: ReceivedConfiguration) -> Bool { hash == other.hash && withheld == other.withheld }
}

/// The message by which a control plane sends a configuration.
enum Reconfigure {
  /// A hash of a node that has no configuration.
  static let emptyHash = String(repeating: "0", count: 32)

  /// Name of the member with the kinds of entities that were left out. Kong compatibility: an addition that Kong's data
  /// planes ignore.
  private static let withheldKey = "sluice_withheld"

  /// - Parameter encoder: that of the messages before to the same data planes.
  static func message(
    configTable: JSONValue, hash: String, hashes: [String: String], withheld: [String], timestamp: Double,
    encoder: SegmentedEncoder = SegmentedEncoder()
  ) throws(GzipError) -> [UInt8] {
    var members: [String: JSONValue] = [
      "type": "reconfigure", "timestamp": .number(timestamp), "config_table": configTable,
      "config_hash": .string(hash), "hashes": .object(hashes.mapValues { .string($0) }),
    ]
    if !withheld.isEmpty { members[withheldKey] = .array(withheld.map { .string($0) }) }
    return try encoder.message(members)
  }

  /// - Parameter limit: the most bytes the message may have when inflated.
  static func parse(_ compressed: [UInt8], limit: Int) throws(ProtocolFailure) -> ReceivedConfiguration {
    var decoder = SegmentedDecoder()
    return try parse(compressed, limit: limit, decoder: &decoder)
  }

  /// - Parameter decoder: that of the messages before.
  static func parse(
    _ compressed: [UInt8], limit: Int, decoder: inout SegmentedDecoder
  ) throws(ProtocolFailure) -> ReceivedConfiguration {
    let message: JSONValue
    if let members = decoder.members(of: compressed, limit: limit) {
      message = .object(members)
    } else {
      message = try whole(compressed, limit: limit)
    }
    guard message["type"] == "reconfigure" else { throw ProtocolFailure("the message is no configuration") }
    guard let table = message["config_table"], case .object = table else {
      throw ProtocolFailure("the message has no config_table")
    }
    var hash = message["config_hash"]?.string ?? ""
    if hash.isEmpty {
      hash = Insecure.MD5.hash(data: table.serialized()).map { byte in
        String(decoding: [hexDigit(byte >> 4), hexDigit(byte & 15)], as: UTF8.self)
      }.joined()
    }
    guard hash.utf8.count == 32, hash.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ProtocolFailure("the configuration hash is not 32 characters")
    }
    return ReceivedConfiguration(
      configTable: table, hash: hash, hashes: (message["hashes"]?.object ?? [:]).compactMapValues(\.string),
      withheld: (message[withheldKey]?.array ?? []).compactMap(\.string))
  }

  private static func whole(_ compressed: [UInt8], limit: Int) throws(ProtocolFailure) -> JSONValue {
    let bytes: [UInt8]
    do {
      bytes = try Gzip.inflate(compressed, limit: limit)
    } catch {
      throw ProtocolFailure("\(error)")
    }
    do {
      return try JSONValue(parsing: bytes)
    } catch {
      throw ProtocolFailure("the message is not JSON: \(error)")
    }
  }
}
