import EntityModel
import NIOCore
import PluginKit

/// Requests to the provider's endpoints.
extension OpenIDConnectFlow {
  typealias Extras = OpenIDConnectSettings.Extras

  /// Headers and arguments that are configured, and those of the client's request that are passed on.
  private func add(
    _ extras: Extras, _ headers: inout [(name: String, value: String)], _ arguments: inout [(String, String)]
  ) {
    for header in extras.headers { headers.append((name: header.name, value: header.value)) }
    for name in extras.clientHeaders {
      if let value = context.requestHeaders.first(name) { headers.append((name: name, value: value)) }
    }
    for argument in extras.arguments { arguments.append((argument.name, argument.value)) }
    for name in extras.clientArguments {
      guard let value = credentials.anywhere(name) else { continue }
      arguments.removeAll { $0.0 == name }
      arguments.append((name, value))
    }
    for name in extras.clientHeadersAsArguments {
      if let value = context.requestHeaders.first(name) { arguments.append((name, value)) }
    }
  }

  /// A form that the client authenticates; nil if it cannot, or if there is no such endpoint.
  private func form(
    _ endpoint: ProviderMetadata.Endpoint, _ fields: [(String, String)], _ extras: Extras, _ client: ProviderClient?
  ) -> OutboundRequest? {
    guard let url = url(of: endpoint), let metadata = configuration?.metadata else { return nil }
    var headers: [(name: String, value: String)] = [
      (name: "Content-Type", value: "application/x-www-form-urlencoded"), (name: "Accept", value: "application/json"),
    ]
    var arguments = fields
    if let client {
      let way = client.authentication(configured: settings.endpointAuthentications[endpoint], metadata)
      guard client.authenticate(by: way, at: url, now: now, headers: &headers, arguments: &arguments) else {
        return nil
      }
    }
    add(extras, &headers, &arguments)
    var request = settings.provider.transport.request("POST", url, headers: headers)
    request.body = ByteBuffer(string: FormText.encoded(arguments))
    return request
  }

  private func cannotAsk(_ endpoint: ProviderMetadata.Endpoint) -> ProviderFailure {
    ProviderFailure(
      reason: "\(settings.provider.issuer): no \(endpoint.rawValue), or the client cannot authenticate there")
  }

  // MARK: Tokens

  /// Asks the token endpoint for tokens by a grant.
  ///
  /// - Parameter key: what the answer is kept under; nil for an answer that is not kept.
  func requestTokens(
    _ grant: [(String, String)], by client: ProviderClient?, key: [String?]?, then: @escaping (TokenAnswer) -> Void
  ) {
    guard let request = form(.token, grant, settings.tokenExtras, client) else {
      return then(.failed(cannotAsk(.token)))
    }
    var cacheKey: [UInt8]?
    if let key, settings.caching.keepsTokens {
      let extras = settings.tokenExtras.clientArguments + settings.tokenExtras.clientHeaders
      cacheKey = AnswerCache<TokenAnswer>.key(
        [request.url, client?.id, client?.secret, settings.caching.salt]
          + (settings.caching.tellsScopesApart ? [settings.scopes.joined(separator: " ")] : [])
          + extras.map { credentials.anywhere($0) } + key)
    }
    store.tokens.answer(for: cacheKey, at: now) { keep in
      self.exchange.send(request) { result in
        let answer = self.tokenAnswer(result, request.url)
        switch answer {
        case .tokens(let tokens, _):
          keep(answer, self.settings.caching.end(expiry: tokens.endsAt.map(Double.init), now: self.now))
        case .refused: keep(answer, self.settings.caching.endOfRefusal(now: self.now))
        case .failed: keep(answer, nil)
        }
      }
    } then: { then($0) }
  }

  private func tokenAnswer(_ result: Result<OutboundResponse, ProviderFailure>, _ url: String) -> TokenAnswer {
    switch result {
    case .failure(let failure): return .failed(failure)
    case .success(let response):
      let document = try? JSONValue(parsing: Array(response.body.readableBytesView))
      if (400..<500).contains(response.status) {
        return .refused(document?.text("error") ?? "the token endpoint answered with status \(response.status)")
      }
      guard response.status == 200, let document, let tokens = TokenSet(document, now: now) else {
        return .failed(ProviderFailure(reason: "\(url): status \(response.status), without tokens"))
      }
      let headers = settings.replayedHeaders.compactMap { name in
        response.header(name).map { NamedText(name: settings.replayedHeadersPrefix + name, value: $0) }
      }
      return .tokens(tokens, headers: headers)
    }
  }

  // MARK: Introspection

  /// Source: RFC 7662.
  func introspect(_ token: String, then: @escaping (EndpointAnswer) -> Void) {
    var fields = [(settings.introspectionTokenName, token)]
    if let hint = settings.introspectionHint { fields.append(("token_type_hint", hint)) }
    guard let request = form(.introspection, fields, settings.introspectionExtras, client) else {
      return then(.failed(cannotAsk(.introspection)))
    }
    let key = settings.caching.keepsIntrospections
      ? AnswerCache<EndpointAnswer>.key([request.url, client?.id, settings.checksActive ? "active" : nil, token]) : nil
    store.introspections.answer(for: key, at: now) { keep in
      self.exchange.send(request) { result in
        let answer = self.introspectionAnswer(result, request.url)
        switch answer {
        case .claims(let claims):
          keep(answer, self.settings.caching.end(expiry: claims["exp"]?.double, now: self.now))
        case .refused: keep(answer, self.settings.caching.endOfRefusal(now: self.now))
        case .failed: keep(answer, nil)
        }
      }
    } then: { answer in
      // The times of a kept answer pass by.
      if case .claims(let claims) = answer, self.settings.verifiesClaims,
        let problem = self.timeProblem(with: claims)
      {
        return then(.refused(problem))
      }
      then(answer)
    }
  }

  private func introspectionAnswer(_ result: Result<OutboundResponse, ProviderFailure>, _ url: String) -> EndpointAnswer
  {
    switch result {
    case .failure(let failure): return .failed(failure)
    case .success(let response):
      guard response.status == 200,
        let members = (try? JSONValue(parsing: Array(response.body.readableBytesView)))?.object
      else { return .failed(ProviderFailure(reason: "\(url): status \(response.status), without an object")) }
      if settings.checksActive, members["active"]?.bool != true { return .refused("the token is not active") }
      return .claims(Claims(members))
    }
  }

  // MARK: User info

  /// Source: OpenID Connect Core 1.0 §5.3.
  func fetchUserInfo(_ token: String, then: @escaping (EndpointAnswer) -> Void) {
    guard let url = url(of: .userInfo) else { return then(.failed(cannotAsk(.userInfo))) }
    var headers: [(name: String, value: String)] = [
      (name: "Authorization", value: "Bearer \(token)"), (name: "Accept", value: "application/json"),
    ]
    var arguments: [(String, String)] = []
    add(settings.userInfoExtras, &headers, &arguments)
    let request = settings.provider.transport.request(
      "GET", URLText.adding(arguments, to: url), headers: headers)
    let key = settings.caching.keepsUserInfo ? AnswerCache<EndpointAnswer>.key([request.url, token]) : nil
    store.userInfos.answer(for: key, at: now) { keep in
      self.exchange.send(request) { result in
        let answer = self.userInfoAnswer(result, url)
        switch answer {
        case .claims:
          let expiry = SignedToken(token)?.claims["exp"]?.double
          keep(answer, self.settings.caching.end(expiry: expiry, now: self.now))
        case .refused: keep(answer, self.settings.caching.endOfRefusal(now: self.now))
        case .failed: keep(answer, nil)
        }
      }
    } then: { then($0) }
  }

  private func userInfoAnswer(_ result: Result<OutboundResponse, ProviderFailure>, _ url: String) -> EndpointAnswer {
    switch result {
    case .failure(let failure): return .failed(failure)
    case .success(let response):
      if response.status == 401 || response.status == 403 { return .refused("the provider does not know the token") }
      guard response.status == 200,
        let members = (try? JSONValue(parsing: Array(response.body.readableBytesView)))?.object
      else { return .failed(ProviderFailure(reason: "\(url): status \(response.status), without an object")) }
      return .claims(Claims(members))
    }
  }

  // MARK: Revocation

  /// Revokes a token; what goes wrong is logged. Source: RFC 7009.
  func revoke(_ token: String, hint: String, then: @escaping () -> Void) {
    let fields = [(settings.logout.revocationTokenName, token), ("token_type_hint", hint)]
    guard let request = form(.revocation, fields, Extras(), client) else {
      log(cannotAsk(.revocation))
      return then()
    }
    exchange.send(request) { result in
      switch result {
      case .failure(let failure): self.log(failure)
      case .success(let response):
        if response.status != 200 {
          self.log(ProviderFailure(reason: "\(request.url): status \(response.status) to a revocation"))
        }
      }
      then()
    }
  }
}
