import EntityModel

/// What openid-connect keeps on one event loop from snapshot to snapshot: the documents of providers and their answers.
final class ProviderStore {
  private static let maximumProviders = 256

  private var providers: [String: Provider] = [:]
  let tokens = AnswerCache<TokenAnswer>()
  let introspections = AnswerCache<EndpointAnswer>()
  let userInfos = AnswerCache<EndpointAnswer>()

  func provider(_ settings: ProviderSettings) -> Provider {
    if let known = providers[settings.identity] { return known }
    // Those of configurations long gone; whoever still needs one has its documents fetched again.
    if providers.count >= Self.maximumProviders { providers = [:] }
    let provider = Provider(settings)
    providers[settings.identity] = provider
    return provider
  }
}

/// What an endpoint said about a token.
enum EndpointAnswer {
  case claims(Claims)
  /// The token is not good, as the provider says.
  case refused(String)
  /// The provider cannot be asked, or answered nonsense.
  case failed(ProviderFailure)
}

/// What the token endpoint said.
enum TokenAnswer {
  case tokens(TokenSet, headers: [NamedText])
  case refused(String)
  case failed(ProviderFailure)
}

/// The tokens of one grant.
struct TokenSet: Sendable {
  var access: String?
  var id: String?
  var refresh: String?
  /// Seconds since the epoch at which the access token ends, where that is known.
  var endsAt: Int64?
  /// The scopes that were granted, where the provider says so.
  var scope: String?
  /// The whole answer of the token endpoint.
  var document: JSONValue = .null

  init(access: String?) { self.access = access }

  /// An answer of the token endpoint (RFC 6749 §5.1); nil without any token.
  init?(_ document: JSONValue, now: Int64) {
    guard document.object != nil else { return nil }
    access = document.text("access_token")
    id = document.text("id_token")
    refresh = document.text("refresh_token")
    guard access != nil || id != nil else { return nil }
    let lifetime = document["expires_in"]?.double ?? document.text("expires_in").flatMap { Double($0) }
    if let lifetime, lifetime.isFinite, lifetime >= 0, lifetime < 1e9 { endsAt = now + Int64(lifetime) }
    scope = document.text("scope")
    self.document = document
  }
}
