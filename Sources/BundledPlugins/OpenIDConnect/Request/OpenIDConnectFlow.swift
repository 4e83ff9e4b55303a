import EntityModel
import Logging
import NIOCore
import PluginKit

/// What a request has shown about who it comes from.
struct Evidence {
  let method: AuthenticationMethod
  var tokens: TokenSet
  /// Claims of the access token, where it is a signed one.
  var accessClaims: Claims?
  var introspection: Claims?
  var idClaims: Claims?
  var userInfo: Claims?
  /// The keys that signed, as the provider publishes them.
  var accessKey: JSONValue?
  var idKey: JSONValue?
  var clientID: String?
  /// What is taken away from the request.
  var places: [CredentialPlace] = []
  var tokenHeaders: [NamedText] = []
  /// The session that it comes from; changed if its cookie must be set.
  var session: Session?
  var sessionHasChanged = false
  /// The login that it completes.
  var login: PendingLogin?

  init(_ method: AuthenticationMethod, _ tokens: TokenSet) {
    self.method = method
    self.tokens = tokens
  }

  /// Where claims are looked for, in this order.
  var claims: [Claims] { [introspection, accessClaims, idClaims, userInfo].compactMap { $0 } }
}

/// The way of one request through openid-connect.
///
/// Confined to the request's event loop. Each step calls the next, at once or when the provider has answered; the last
/// one calls `finish`. Order of the credentials: Kong fact, bundled-16 §5.
final class OpenIDConnectFlow {
  let executor: OpenIDConnectExecutor
  let context: RequestContext
  let credentials: RequestCredentials
  let exchange: ProviderExchange
  let store: ProviderStore
  let provider: Provider
  /// Seconds since the epoch.
  let now: Int64
  /// What the provider has published. Set by the first step.
  private(set) var configuration: ProviderConfiguration?
  private(set) var client: ProviderClient?
  /// The session that the request's cookie holds, good or not.
  var hasSessionCookie = false

  private var hasReturned = false
  private var outcome: PhaseOutcome?
  private var isOver = false

  var settings: OpenIDConnectSettings { executor.settings }
  var isHTTPS: Bool { context.forwardedScheme == "https" }

  init(_ executor: OpenIDConnectExecutor, _ context: RequestContext) {
    self.executor = executor
    self.context = context
    credentials = RequestCredentials(context)
    exchange = ProviderExchange(outbound: executor.services.outbound, loop: context.driver.eventLoop)
    store = context.loop.kept(ProviderStore.self) { ProviderStore() }
    provider = store.provider(executor.settings.provider)
    now = context.startedAtMilliseconds / 1000
  }

  func run() -> PhaseOutcome {
    provider.configuration(by: exchange, at: now) { result in
      switch result {
      case .failure(let failure): self.answerUnexpected(failure)
      case .success(let configuration):
        self.configuration = configuration
        self.client = self.chosenClient()
        self.begin()
      }
    }
    hasReturned = true
    return outcome ?? .suspended
  }

  /// Ends the plugin's turn, once.
  func finish() {
    guard !isOver else { return }
    isOver = true
    if hasReturned { context.resume(.finished) } else { outcome = .finished }
  }

  func update(_ configuration: ProviderConfiguration) { self.configuration = configuration }

  /// The address of an endpoint: configured, or as the provider says.
  func url(of endpoint: ProviderMetadata.Endpoint) -> String? {
    settings.endpoints[endpoint] ?? configuration?.metadata[endpoint]
  }

  /// The client that the request names, or else the first.
  private func chosenClient() -> ProviderClient? {
    guard settings.clients.count > 1 else { return settings.clients.first }
    let name = settings.clientArgument
    let wanted =
      context.requestHeaders.first(name) ?? context.requestHeaders.first(name.replacing("_", with: "-"))
      ?? credentials.argument(name) ?? credentials.field(name)
    return settings.clients.first { $0.id == wanted } ?? settings.clients.first
  }

  /// Reads the body, if it has fields and nobody did so before.
  func withFields(_ then: @escaping () -> Void) {
    guard credentials.mayHaveFields else { return then() }
    if let bytes = context.requestBody.bytes {
      credentials.takeBody(bytes)
      return then()
    }
    context.driver.readRequestBody(context) { result in
      switch result {
      case .success:
        self.credentials.takeBody(self.context.requestBody.bytes ?? ByteBuffer())
        then()
      case .failure: self.finish()
      }
    }
  }

  // MARK: Steps

  private func begin() {
    if isCallback, isOfPendingLogin { return complete() }
    guard settings.methods.contains(.session), let session = openedSession() else { return search() }
    if settings.logout.bodyArgument != nil, settings.logout.methods.contains(context.method.name) {
      withFields { self.isLogout ? self.logOut(session) : self.proceed(session) }
    } else if isLogout {
      logOut(session)
    } else {
      proceed(session)
    }
  }

  /// Looks for credentials, first in what has come already and then in the body.
  func search() {
    if isCallback { return complete() }
    if let found = credentials.bearer(settings), acceptsAccessTokens { return checkBearer(found) }
    if settings.methods.contains(.refreshToken), let found = credentials.refreshToken(settings) {
      return refresh(found)
    }
    let grants = self.grants
    if !grants.isEmpty { return tryGrants(grants[...], refusals: []) }
    if credentials.mayHaveFields, looksIntoBodies {
      return withFields {
        self.client = self.chosenClient()
        self.search()
      }
    }
    if settings.methods.contains(.authorizationCode), client != nil { return beginLogin() }
    answerUnauthorized(nil)
  }

  private var acceptsAccessTokens: Bool {
    !settings.methods.isDisjoint(with: [.bearer, .introspection, .userInfo])
  }

  private var looksIntoBodies: Bool {
    (acceptsAccessTokens && settings.bearerPlaces.contains(.body))
      || (settings.methods.contains(.refreshToken) && settings.refreshTokenPlaces.contains(.body))
      || (settings.methods.contains(.password) && settings.passwordPlaces.contains(.body))
      || (settings.methods.contains(.clientCredentials) && settings.clientCredentialPlaces.contains(.body))
      || (settings.methods.contains(.authorizationCode) && settings.login.usesFormPost)
  }
}
