import EntityModel
import Foundation

/// An address of a `*_listen` setting with its flags (Kong's syntax).
public struct ListenAddress: Sendable, Hashable {
  /// Name or address as written, IPv6 without its brackets.
  public var host: String
  public var port: Int
  public var ssl = false
  public var http2 = false
  public var proxyProtocol = false
  public var deferred = false
  public var bind = false
  public var reusePort = false
  /// Length of the queue of connections that wait to be accepted; nil for the system's default.
  public var backlog: Int?
  /// As written in the setting.
  public var text: String

  public init(host: String, port: Int, ssl: Bool = false, http2: Bool = false) {
    self.host = host
    self.port = port
    self.ssl = ssl
    self.http2 = http2
    let address = host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    text = address + (http2 ? " http2" : "") + (ssl ? " ssl" : "")
  }

  init(parsing text: String) throws(SettingValueError) {
    let words = text.split(whereSeparator: \.isWhitespace).map(String.init)
    guard let address = words.first, let endpoint = SettingText.endpoint(address) else {
      throw SettingValueError("has the entry \"\(text)\", which does not begin with host:port")
    }
    host = endpoint.host
    port = endpoint.port
    self.text = words.joined(separator: " ")
    for word in words.dropFirst() {
      switch word {
      case "ssl": ssl = true
      case "http2": http2 = true
      case "proxy_protocol": proxyProtocol = true
      case "deferred": deferred = true
      case "bind": bind = true
      case "reuseport": reusePort = true
      case "ipv6only=on", "ipv6only=off", "so_keepalive=on", "so_keepalive=off": continue
      default:
        guard word.hasPrefix("backlog="), let length = Int(word.dropFirst(8)), (1...Int(Int32.max)).contains(length)
        else { throw SettingValueError("has the entry \"\(text)\" with the unknown flag \"\(word)\"") }
        backlog = length
      }
    }
  }

  /// The form of `proxy_listeners` and its like in `GET /` (Kong fact, clients).
  public var json: JSONValue {
    var members: [String: JSONValue] = [
      "ip": .string(host), "port": .integer(Int64(port)), "ssl": .bool(ssl), "http2": .bool(http2),
      "proxy_protocol": .bool(proxyProtocol), "deferred": .bool(deferred), "bind": .bool(bind),
      "reuseport": .bool(reusePort), "listener": .string(text),
    ]
    if let backlog { members["backlog=%d+"] = .string("backlog=\(backlog)") }
    return .object(members)
  }
}

/// Where a certificate or key is written.
public enum PEMSource: Sendable, Hashable {
  case path(String)
  case content(String)

  init(parsing text: String) {
    if text.contains("-----BEGIN") {
      // In an environment variable line ends are often written as two characters.
      self = .content(text.replacingOccurrences(of: "\\n", with: "\n"))
    } else if let data = Data(base64Encoded: text), let decoded = String(data: data, encoding: .utf8),
      decoded.contains("-----BEGIN")
    {
      self = .content(decoded)
    } else {
      self = .path(text)
    }
  }

  /// The PEM text; a file that cannot be read is an error naming it.
  public func read(relativeTo prefix: String) throws -> String {
    switch self {
    case .content(let text): return text
    case .path(let path):
      let full = path.hasPrefix("/") ? path : prefix + "/" + path
      do {
        return try String(contentsOfFile: full, encoding: .utf8)
      } catch {
        throw PEMSourceError(path: full, reason: "\(error.localizedDescription)")
      }
    }
  }

  var shown: String {
    switch self {
    case .path(let path): path
    case .content: GatewaySettings.redaction
    }
  }
}

/// Certificates of authorities.
public enum TrustedCertificates: Sendable, Hashable {
  /// Those that the operating system comes with.
  case system
  case given(PEMSource)

  var shown: String {
    switch self {
    case .system: "system"
    case .given(let source): source.shown
    }
  }
}

/// A file named by a certificate setting that cannot be read.
public struct PEMSourceError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let reason: String

  public var description: String { "cannot read \(path): \(reason)" }
}

/// Where a log goes.
public struct LogDestination: Sendable, Hashable {
  /// Path as written, nil for `off`.
  public let path: String?
  /// Name of the log format after the path, if one was given.
  public let format: String?
}

extension SettingKind<LogDestination> {
  static let log = SettingKind(
    "`off`, or a path (relative ones lie under `prefix`) with an optional format name after it",
    json: { log in .string(log.path.map { path in log.format.map { "\(path) \($0)" } ?? path } ?? "off") }
  ) { text throws(SettingValueError) -> LogDestination in
    let words = text.split(separator: " ").map(String.init)
    guard words.count <= 2, let path = words.first else { throw SettingValueError("is not a path") }
    return path == "off"
      ? LogDestination(path: nil, format: nil)
      : LogDestination(path: path, format: words.count == 2 ? words[1] : nil)
  }
}

/// Number of event loops.
public enum WorkerCount: Sendable, Hashable {
  /// One for each core.
  case auto
  case exactly(Int)

  public var resolved: Int {
    switch self {
    case .auto: max(1, ProcessInfo.processInfo.activeProcessorCount)
    case .exactly(let count): count
    }
  }
}

extension SettingKind<WorkerCount> {
  static let workers = SettingKind(
    "`auto`, or a whole number from 1 to 512",
    json: {
      switch $0 {
      case .auto: "auto"
      case .exactly(let count): .string(String(count))
      }
    }
  ) { text throws(SettingValueError) -> WorkerCount in
    if text == "auto" { return .auto }
    guard let count = Int(text), (1...512).contains(count) else { throw SettingValueError("is no such number") }
    return .exactly(count)
  }
}

/// Peers whose `X-Forwarded-*` headers are believed.
public struct TrustedPeers: Sendable, Hashable {
  public let blocks: [CIDRBlock]
  public let unixSockets: Bool
  let texts: [String]
}

extension SettingKind<TrustedPeers> {
  static let trustedPeers = SettingKind(
    "a comma-separated list of addresses, CIDR blocks and `unix:`",
    json: { $0.texts.isEmpty ? nil : .array($0.texts.map { .string($0) }) }
  ) { text throws(SettingValueError) -> TrustedPeers in
    let items = SettingText.items(text)
    var blocks: [CIDRBlock] = []
    for item in items where item != "unix:" {
      guard let block = CIDRBlock(item) else {
        throw SettingValueError("has the entry \"\(item)\", which is neither an address nor a CIDR block")
      }
      blocks.append(block)
    }
    return TrustedPeers(blocks: blocks, unixSockets: items.contains("unix:"), texts: items)
  }
}

extension SettingKind<[Int: Int]> {
  /// `public:listening` pairs, keyed by the listening port.
  static let portMap = SettingKind(
    "a comma-separated list of `public port:listening port`",
    json: { map in
      map.isEmpty ? nil : .array(map.sorted { $0.key < $1.key }.map { .string("\($0.value):\($0.key)") })
    }
  ) { text throws(SettingValueError) -> [Int: Int] in
    var map: [Int: Int] = [:]
    for item in SettingText.items(text) {
      let ports = item.split(separator: ":", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      guard ports.count == 2, ports.allSatisfy((1...65535).contains) else {
        throw SettingValueError("has the entry \"\(item)\", which is not a pair of ports")
      }
      map[ports[1]] = ports[0]
    }
    return map
  }
}

/// A number and a size, as in `large_client_header_buffers`.
public struct BufferSet: Sendable, Hashable {
  public let count: Int
  /// Bytes of each buffer.
  public let size: Int
}

extension SettingKind<BufferSet> {
  static let buffers = SettingKind(
    "a number of buffers and their size, for example `4 8k`", json: { .string("\($0.count) \($0.size)") }
  ) { text throws(SettingValueError) -> BufferSet in
    let words = text.split(separator: " ").map(String.init)
    guard words.count == 2, let count = Int(words[0]), (1...1024).contains(count),
      let size = SettingText.size(words[1]), (256...(1 << 30)).contains(size)
    else { throw SettingValueError("is not a number and a size") }
    return BufferSet(count: count, size: size)
  }
}

/// A peer to connect to.
public struct HostAndPort: Sendable, Hashable {
  public let host: String
  public let port: Int

  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
}

extension SettingKind<HostAndPort> {
  static let endpoint = SettingKind("`host:port`", json: { .string("\($0.host):\($0.port)") }) {
    text throws(SettingValueError) -> HostAndPort in
    guard let endpoint = SettingText.endpoint(text), endpoint.port > 0 else {
      throw SettingValueError("is not host:port")
    }
    return HostAndPort(host: endpoint.host, port: endpoint.port)
  }
}

extension SettingKind<[String: String]> {
  /// `key:value` pairs after Google's AIP-129 as Kong checks them.
  static let labels = SettingKind(
    "a comma-separated list of `key:value`, each of at most 63 letters, digits, `-`, `_` and `.`",
    json: { labels in
      labels.isEmpty ? nil : .array(labels.sorted { $0.key < $1.key }.map { .string("\($0.key):\($0.value)") })
    }
  ) { text throws(SettingValueError) -> [String: String] in
    var labels: [String: String] = [:]
    for item in SettingText.items(text) {
      let parts = item.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let isValid = parts.count == 2 && parts.allSatisfy { part in
        (1...63).contains(part.utf8.count)
          && part.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
          && part.first?.isPunctuation == false && part.last?.isPunctuation == false
      }
      guard isValid else { throw SettingValueError("has the entry \"\(item)\", which is not key:value") }
      labels[parts[0]] = parts[1]
    }
    return labels
  }
}
