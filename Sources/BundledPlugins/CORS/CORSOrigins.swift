import Foundation
import Patterns

/// The origins of a configuration, parsed once.
struct CORSOrigins: Sendable {
  enum Answer: Equatable {
    case everyone
    /// The value of `Access-Control-Allow-Origin`.
    case only(String)
    case nobody
  }

  private enum Rule {
    case everyone
    /// A single origin that is told to everybody.
    case fixed(String)
    case oneOf([CORSOrigin])
  }

  private let rule: Rule

  init(_ entries: [String]) {
    if entries.isEmpty || entries.contains("*") {
      rule = .everyone
    } else if entries.count == 1, !CORSOrigin.isRegex(entries[0]) {
      rule = .fixed(entries[0])
    } else {
      rule = .oneOf(entries.compactMap { CORSOrigin($0) })
    }
  }

  func answer(to origin: String?) -> Answer {
    switch rule {
    case .everyone: return .everyone
    case .fixed(let text): return .only(text)
    case .oneOf(let origins):
      guard let origin, !origin.isEmpty, origins.contains(where: { $0.matches(origin) }) else { return .nobody }
      return .only(origin)
    }
  }
}

/// One entry: a host with or without port, an origin, or a regular expression of whole origins.
struct CORSOrigin: Sendable {
  private enum Form {
    case host(String)
    case origin(String)
    case regex(RE2Pattern)
  }

  private let form: Form

  /// Nil for a text that is no regular expression.
  init?(_ text: String) {
    if Self.isRegex(text) {
      guard text != "*" else {
        form = .host("*")
        return
      }
      guard let pattern = try? RE2Pattern(text) else { return nil }
      form = .regex(pattern)
    } else {
      form = text.contains("://") ? .origin(Self.normalized(text)) : .host(text.lowercased())
    }
  }

  /// Whether a text has characters that no origin has.
  static func isRegex(_ text: String) -> Bool {
    !text.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: ".:/-".utf8.contains(byte)
      }
    }
  }

  func matches(_ origin: String) -> Bool {
    switch form {
    case .regex(let pattern): return pattern.matches(origin, anchor: .whole)
    case .origin(let expected): return Self.normalized(origin) == expected
    case .host(let expected):
      let normalized = Self.normalized(origin)
      guard let scheme = normalized.range(of: "://") else { return normalized == expected }
      let authority = normalized[scheme.upperBound...]
      return authority == expected || (!expected.contains(":") && authority.prefix { $0 != ":" } == expected)
    }
  }

  /// In lower case and without the port that the scheme implies.
  private static func normalized(_ origin: String) -> String {
    var text = origin.lowercased()
    if text.hasSuffix("/") { text.removeLast() }
    if text.hasPrefix("http://"), text.hasSuffix(":80") { text.removeLast(3) }
    if text.hasPrefix("https://"), text.hasSuffix(":443") { text.removeLast(4) }
    return text
  }
}
