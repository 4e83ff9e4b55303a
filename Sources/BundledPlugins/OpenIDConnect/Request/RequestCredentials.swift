import EntityModel
import NIOCore
import PluginKit

/// Where a credential stood in a request, so that it can be taken away.
enum CredentialPlace {
  case header(String)
  case query(String)
  case body(String)
  case cookie(String)
}

/// A token or a pair of texts that a request carries.
struct FoundCredential {
  var texts: [String]
  var places: [CredentialPlace]
}

/// Looks for credentials in a request, and takes them away from it.
final class RequestCredentials {
  private let context: RequestContext
  private var query: Arguments?
  /// The body, once it has been read and if it is of a kind that is looked into.
  private var body: KeyBody?
  private(set) var hasReadBody = false
  private(set) lazy var cookies = Self.cookies(context)

  init(_ context: RequestContext) { self.context = context }

  /// Whether the request may have a body with fields.
  var mayHaveFields: Bool {
    guard !hasReadBody, MediaKind(ofRequest: context.requestHeaders) != nil else { return false }
    return context.requestHeaders.contains("content-length") || context.requestHeaders.contains("transfer-encoding")
      || context.requestBody.bytes != nil
  }

  func takeBody(_ bytes: ByteBuffer) {
    hasReadBody = true
    guard let kind = MediaKind(ofRequest: context.requestHeaders) else { return }
    body = KeyBody(
      Array(bytes.readableBytesView), kind, contentType: context.requestHeaders.first("content-type") ?? "")
  }

  // MARK: Single texts

  func argument(_ name: String) -> String? {
    if query == nil { query = Arguments(queryOf: context) }
    switch query?[name] {
    case .some(.text(let text)): return text
    case .some(.list(let values)):
      for case .text(let text) in values { return text }
      return nil
    case .some(.flag), nil: return nil
    }
  }

  func hasArgument(_ name: String) -> Bool {
    if query == nil { query = Arguments(queryOf: context) }
    return query?[name] != nil
  }

  func field(_ name: String) -> String? {
    guard case .some(.text(let text)) = body?.find(name) else { return nil }
    return text
  }

  /// The text of that name, from the query, the body or the headers.
  func anywhere(_ name: String) -> String? { argument(name) ?? field(name) ?? context.requestHeaders.first(name) }

  private static func cookies(_ context: RequestContext) -> [String: String] {
    var cookies: [String: String] = [:]
    for line in context.requestHeaders.values(of: "cookie") {
      for pair in line.split(separator: ";") {
        let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { continue }
        let name = String(parts[0].drop { $0 == " " })
        if cookies[name] == nil { cookies[name] = String(parts[1]) }
      }
    }
    return cookies
  }

  // MARK: Credentials

  /// The text after a scheme of `Authorization`.
  private func authorization(_ scheme: String) -> String? {
    guard let value = context.requestHeaders.first("authorization") else { return nil }
    return Self.text(after: scheme, in: value)
  }

  private static func text(after scheme: String, in value: String) -> String? {
    let parts = value.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == scheme else { return nil }
    let text = parts[1].drop { $0 == " " }
    return text.isEmpty ? nil : String(text)
  }

  func bearer(_ settings: OpenIDConnectSettings) -> FoundCredential? {
    if settings.bearerPlaces.contains(.header) {
      if let name = settings.bearerHeader {
        if let value = context.requestHeaders.first(name), !value.isEmpty {
          return FoundCredential(texts: [Self.text(after: "bearer", in: value) ?? value], places: [.header(name)])
        }
      } else {
        if let token = authorization("bearer") {
          return FoundCredential(texts: [token], places: [.header("authorization")])
        }
        for name in ["access-token", "x-access-token"] {
          if let value = context.requestHeaders.first(name), !value.isEmpty {
            return FoundCredential(texts: [Self.text(after: "bearer", in: value) ?? value], places: [.header(name)])
          }
        }
      }
    }
    if let found = parameter("access_token", settings.bearerPlaces.subtracting([.header])) { return found }
    if settings.bearerPlaces.contains(.cookie), let name = settings.bearerCookie, let token = cookies[name],
      !token.isEmpty
    {
      return FoundCredential(texts: [token], places: [.cookie(name)])
    }
    return nil
  }

  func refreshToken(_ settings: OpenIDConnectSettings) -> FoundCredential? {
    if let name = settings.refreshTokenName {
      return parameter(name, settings.refreshTokenPlaces, headers: [name])
    }
    return parameter(
      "refresh_token", settings.refreshTokenPlaces, headers: ["refresh-token", "x-refresh-token"])
  }

  func idToken(_ settings: OpenIDConnectSettings) -> FoundCredential? {
    if let name = settings.idTokenName { return parameter(name, settings.idTokenPlaces, headers: [name]) }
    return parameter("id_token", settings.idTokenPlaces, headers: ["id-token", "x-id-token"])
  }

  func password(_ settings: OpenIDConnectSettings) -> FoundCredential? {
    pair("username", "password", settings.passwordPlaces)
  }

  func clientCredentials(_ settings: OpenIDConnectSettings) -> FoundCredential? {
    pair("client_id", "client_secret", settings.clientCredentialPlaces)
  }

  private func parameter(
    _ name: String, _ places: Set<OpenIDConnectSettings.Place>, headers: [String] = []
  ) -> FoundCredential? {
    if places.contains(.header) {
      for header in headers {
        if let value = context.requestHeaders.first(header), !value.isEmpty {
          return FoundCredential(texts: [value], places: [.header(header)])
        }
      }
    }
    if places.contains(.query), let text = argument(name), !text.isEmpty {
      return FoundCredential(texts: [text], places: [.query(name)])
    }
    if places.contains(.body), let text = field(name), !text.isEmpty {
      return FoundCredential(texts: [text], places: [.body(name)])
    }
    return nil
  }

  private func pair(
    _ first: String, _ second: String, _ places: Set<OpenIDConnectSettings.Place>
  ) -> FoundCredential? {
    if places.contains(.header), let text = authorization("basic"), let bytes = Base64Text.decoded(text) {
      let parts = String(decoding: bytes, as: UTF8.self).split(
        separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      if parts.count == 2, !parts[0].isEmpty {
        return FoundCredential(texts: [String(parts[0]), String(parts[1])], places: [.header("authorization")])
      }
    }
    if places.contains(.query), let one = argument(first), let two = argument(second), !one.isEmpty {
      return FoundCredential(texts: [one, two], places: [.query(first), .query(second)])
    }
    if places.contains(.body), let one = field(first), let two = field(second), !one.isEmpty {
      return FoundCredential(texts: [one, two], places: [.body(first), .body(second)])
    }
    return nil
  }

  // MARK: Hiding

  func hide(_ places: [CredentialPlace]) {
    for place in places {
      switch place {
      case .header(let name): context.requestHeaders.remove(name)
      case .query(let name): QueryText.removeArgument(name, from: context)
      case .body(let name):
        guard let rest = body?.removing(name) else { continue }
        let bytes = ByteBuffer(bytes: rest)
        context.requestBody = .replaced(bytes)
        context.requestHeaders.set("Content-Length", String(rest.count))
        takeBody(bytes)
      case .cookie(let name): hideCookies { $0 == name }
      }
    }
  }

  func hideCookies(_ isHidden: (String) -> Bool) {
    guard cookies.keys.contains(where: isHidden) else { return }
    let kept = context.requestHeaders.values(of: "cookie").flatMap { $0.split(separator: ";") }.filter { pair in
      let name = pair.prefix { $0 != "=" }.drop { $0 == " " }
      return !isHidden(String(name))
    }.map { $0.drop { $0 == " " } }
    context.requestHeaders.remove("cookie")
    if !kept.isEmpty { context.requestHeaders.set("Cookie", kept.joined(separator: "; ")) }
  }
}
