import Crypto
import EntityModel
import Storage
import Zlib

/// A configuration as a data plane received it, from its control plane or from its last-good copy.
public struct ReceivedConfiguration: Sendable {
  /// `_format_version`, `_transform` and one list per kind of entity; foreign fields are ids (Kong fact, hybrid §3).
  /// Tables received one after the other share the parts that are the same.
  public let table: ConfigTable
  /// 32 characters that name this state of the configuration.
  public let hash: String
  /// Hashes of the parts, by the names `config`, `routes`, `services`, `plugins`, `upstreams` and `targets`.
  public let hashes: [String: String]
  /// Kinds of entities that the control plane left out for this node. The hash is that of the whole configuration, so
  /// two receipts are the same only if this is the same, too.
  public let withheld: [String]

  public init(table: ConfigTable, hash: String, hashes: [String: String], withheld: [String] = []) {
    self.table = table
    self.hash = hash
    self.hashes = hashes
    self.withheld = withheld
  }

  /// The table as plain JSON, made anew.
  public var configTable: JSONValue { table.value ?? .null }

  func isSame(as other: ReceivedConfiguration) -> Bool { hash == other.hash && withheld == other.withheld }
}

/// The message by which a control plane sends a configuration.
enum Reconfigure {
  /// A hash of a node that has no configuration.
  static let emptyHash = String(repeating: "0", count: 32)

  /// Name of the member with the kinds of entities that were left out. Kong compatibility: an addition that Kong's data
  /// planes ignore.
  private static let withheldKey = "sluice_withheld"

  /// The bytes of a message, whole.
  static func message(
    configTable: JSONValue, hash: String, hashes: [String: String], withheld: [String], timestamp: Double
  ) throws(GzipError) -> [UInt8] {
    try segmented(
      ConfigTable(configTable), hash: hash, hashes: hashes, withheld: withheld, timestamp: timestamp,
      encoder: SegmentedEncoder()
    ).bytes
  }

  /// - Parameter encoder: that of the messages before to the same data planes.
  static func segmented(
    _ table: ConfigTable, hash: String, hashes: [String: String], withheld: [String], timestamp: Double,
    encoder: SegmentedEncoder
  ) throws(GzipError) -> SegmentedMessage {
    var members: [String: JSONValue] = [
      "type": "reconfigure", "timestamp": .number(timestamp), "config_hash": .string(hash),
      "hashes": .object(hashes.mapValues { .string($0) }),
    ]
    if !withheld.isEmpty { members[withheldKey] = .array(withheld.map { .string($0) }) }
    return try encoder.message(members, table: table)
  }

  /// - Parameter limit: the most bytes the message may have when inflated.
  static func parse(_ compressed: [UInt8], limit: Int) throws(ProtocolFailure) -> ReceivedConfiguration {
    var decoder = SegmentedDecoder()
    return try parse(ReceivedMessage(compressed), limit: limit, decoder: &decoder)
  }

  /// - Parameter decoder: that of the messages before.
  static func parse(
    _ received: ReceivedMessage, limit: Int, decoder: inout SegmentedDecoder
  ) throws(ProtocolFailure) -> ReceivedConfiguration {
    let message: [String: JSONValue]
    let table: ConfigTable
    if case .segmented(let segmented) = received, let read = decoder.read(segmented, limit: limit) {
      (message, table) = read
    } else {
      let whole = try whole(received.bytes, limit: limit)
      guard case .object(let members)? = whole["config_table"] else {
        throw ProtocolFailure(
          whole["type"] == "reconfigure" ? "the message has no config_table" : "the message is no configuration")
      }
      message = whole.object ?? [:]
      table = ConfigTable(.object(members))
    }
    guard message["type"] == "reconfigure" else { throw ProtocolFailure("the message is no configuration") }
    var hash = message["config_hash"]?.string ?? ""
    if hash.isEmpty {
      hash = Insecure.MD5.hash(data: (table.value ?? .null).serialized()).map { byte in
        String(decoding: [hexDigit(byte >> 4), hexDigit(byte & 15)], as: UTF8.self)
      }.joined()
    }
    guard hash.utf8.count == 32, hash.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
      throw ProtocolFailure("the configuration hash is not 32 characters")
    }
    return ReceivedConfiguration(
      table: table, hash: hash, hashes: (message["hashes"]?.object ?? [:]).compactMapValues(\.string),
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
