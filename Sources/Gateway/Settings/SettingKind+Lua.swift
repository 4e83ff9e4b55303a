import EntityModel
import NIOSSL

/// The versions of TLS that a kind of connection may speak.
public struct TLSVersionRange: Sendable, Hashable {
  public var oldest: TLSVersion
  public var newest: TLSVersion

  static let names: [(name: String, version: TLSVersion)] = [
    ("TLSv1", .tlsv1), ("TLSv1.1", .tlsv11), ("TLSv1.2", .tlsv12), ("TLSv1.3", .tlsv13),
  ]
}

extension SettingKind<TLSVersionRange> {
  /// Versions in nginx's notation; those between two that are named must be named, too.
  static let tlsVersions = SettingKind(
    "any of `TLSv1`, `TLSv1.1`, `TLSv1.2`, `TLSv1.3` without gaps, separated by spaces",
    json: { range in
      .string(
        TLSVersionRange.names.map(\.name)[place(of: range.oldest)...place(of: range.newest)].joined(separator: " "))
    }
  ) { text throws(SettingValueError) -> TLSVersionRange in
    var places: Set<Int> = []
    for word in text.split(whereSeparator: { $0.isWhitespace || $0 == "," }) {
      guard let place = TLSVersionRange.names.firstIndex(where: { $0.name.lowercased() == word.lowercased() }) else {
        throw SettingValueError("names \"\(word)\", which is no version of TLS that is spoken here")
      }
      places.insert(place)
    }
    guard let first = places.min(), let last = places.max() else { throw SettingValueError("names no version") }
    guard places.count == last - first + 1 else { throw SettingValueError("leaves a version out between two others") }
    return TLSVersionRange(
      oldest: TLSVersionRange.names[first].version, newest: TLSVersionRange.names[last].version)
  }

  private static func place(of version: TLSVersion) -> Int {
    TLSVersionRange.names.firstIndex { $0.version == version } ?? 0
  }
}

/// A kind of spans that Kong can record of each request.
public enum TracingInstrumentation: String, Sendable, CaseIterable {
  case request, all
  case databaseQuery = "db_query"
  case dnsQuery = "dns_query"
  case router
  case httpClient = "http_client"
  case balancer
  case pluginRewrite = "plugin_rewrite"
  case pluginAccess = "plugin_access"
  case pluginHeaderFilter = "plugin_header_filter"
}

extension SettingKind<[TracingInstrumentation]> {
  static let instrumentations = SettingKind(
    "`off`, or a comma-separated list of "
      + TracingInstrumentation.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "),
    json: { $0.isEmpty ? ["off"] : .array($0.map { .string($0.rawValue) }) }
  ) { text throws(SettingValueError) -> [TracingInstrumentation] in
    let items = SettingText.items(text)
    if items == ["off"] { return [] }
    var instrumentations: [TracingInstrumentation] = []
    for item in items {
      guard let one = TracingInstrumentation(rawValue: item.lowercased()) else {
        throw SettingValueError("has the entry \"\(item)\", which is no instrumentation")
      }
      instrumentations.append(one)
    }
    return instrumentations
  }
}

extension SettingKind<Double> {
  static let share = SettingKind("a number from 0 to 1", json: { .number($0) }) {
    text throws(SettingValueError) -> Double in
    guard let number = Double(text), (0...1).contains(number) else {
      throw SettingValueError("is not a number from 0 to 1")
    }
    return number
  }
}
