import EntityModel
import NIOCore
import PluginKit

/// Sends requests to a provider, on one event loop.
struct ProviderExchange {
  let outbound: any OutboundHTTPClient
  let loop: any EventLoop

  /// Calls `then` on the event loop, later or at once.
  func send(
    _ request: OutboundRequest, then: @escaping (Result<OutboundResponse, ProviderFailure>) -> Void
  ) {
    outbound.send(request, on: loop).assumeIsolated().whenComplete { result in
      switch result {
      case .success(let response): then(.success(response))
      case .failure(let error): then(.failure(ProviderFailure(reason: "\(request.url): \(error)")))
      }
    }
  }

  /// Fetches a JSON document; any status but 200 is a failure.
  func document(
    _ request: OutboundRequest, then: @escaping (Result<JSONValue, ProviderFailure>) -> Void
  ) {
    send(request) { result in
      switch result {
      case .failure(let failure): then(.failure(failure))
      case .success(let response):
        guard response.status == 200 else {
          return then(.failure(ProviderFailure(reason: "\(request.url): status \(response.status)")))
        }
        do {
          then(.success(try JSONValue(parsing: Array(response.body.readableBytesView))))
        } catch {
          then(.failure(ProviderFailure(reason: "\(request.url): the answer is no JSON: \(error)")))
        }
      }
    }
  }
}

/// The documents of one provider as one event loop knows them: fetched when they are needed, kept, and fetched again
/// when they are old or when a token names a key that is not among them.
///
/// Confined to its event loop. However many requests wait, one fetch is under way.
final class Provider {
  typealias Completion = (Result<ProviderConfiguration, ProviderFailure>) -> Void

  private let settings: ProviderSettings
  private var current: ProviderConfiguration?
  /// Seconds since the epoch; nil before the first attempt.
  private var attemptedAt: Int64?
  private var waiting: [Completion] = []

  init(_ settings: ProviderSettings) { self.settings = settings }

  /// The documents; those at hand unless they are older than `cache_ttl`. Old ones stay while the provider is away.
  func configuration(by exchange: ProviderExchange, at now: Int64, then: @escaping Completion) {
    if let current, !isOver(settings.lifetime, since: current.fetchedAt, now) || !mayAttempt(now) {
      return then(.success(current))
    }
    fetch(exchange, now, then)
  }

  /// The documents as they are now, unless they were fetched within `rediscovery_lifetime`.
  func rediscovered(by exchange: ProviderExchange, at now: Int64, then: @escaping Completion) {
    if let current, !mayAttempt(now) { return then(.success(current)) }
    fetch(exchange, now, then)
  }

  private func mayAttempt(_ now: Int64) -> Bool {
    guard let attemptedAt else { return true }
    return isOver(settings.rediscoveryLifetime, since: attemptedAt, now)
  }

  /// A clock that was set back does not make documents live longer.
  private func isOver(_ seconds: Double, since start: Int64, _ now: Int64) -> Bool {
    now < start || Double(now - start) >= seconds
  }

  private func fetch(_ exchange: ProviderExchange, _ now: Int64, _ then: @escaping Completion) {
    waiting.append(then)
    guard waiting.count == 1 else { return }
    attemptedAt = now
    fetchMetadata(exchange) { result in
      switch result {
      case .failure(let failure):
        self.deliver(self.current.map { .success($0) } ?? .failure(failure))
      case .success(let metadata):
        var urls = self.settings.furtherKeySetURLs
        if let own = metadata.keySetURL { urls.insert(own, at: 0) }
        self.fetchKeys(urls[...], nil, exchange) { keys in
          let configuration = ProviderConfiguration(
            metadata: metadata, keys: keys ?? self.current?.keys, fetchedAt: now)
          self.current = configuration
          self.deliver(.success(configuration))
        }
      }
    }
  }

  private func deliver(_ result: Result<ProviderConfiguration, ProviderFailure>) {
    let completions = waiting
    waiting = []
    for completion in completions { completion(result) }
  }

  private func fetchMetadata(
    _ exchange: ProviderExchange, _ then: @escaping (Result<ProviderMetadata, ProviderFailure>) -> Void
  ) {
    let settings = settings
    func read(_ document: JSONValue) -> Result<ProviderMetadata, ProviderFailure> {
      ProviderMetadata(document, settings: settings).map { .success($0) }
        ?? .failure(ProviderFailure(reason: "\(settings.issuer): the discovery document is no object"))
    }
    guard let url = settings.discoveryURL else { return then(read([:])) }
    let request = settings.transport.request("GET", url, headers: headers)
    exchange.document(request) { then($0.flatMap(read)) }
  }

  /// Joins the key sets that can be had; nil if none can.
  private func fetchKeys(
    _ urls: ArraySlice<String>, _ known: KeySet?, _ exchange: ProviderExchange, _ then: @escaping (KeySet?) -> Void
  ) {
    guard let url = urls.first else { return then(known) }
    exchange.document(settings.transport.request("GET", url, headers: headers)) { result in
      var keys = known
      if case .success(let document) = result, let set = KeySet(document) {
        keys = known ?? KeySet()
        keys?.add(set)
      }
      self.fetchKeys(urls.dropFirst(), keys, exchange, then)
    }
  }

  private var headers: [(name: String, value: String)] {
    [(name: "Accept", value: "application/json")] + settings.discoveryHeaders.map { (name: $0.name, value: $0.value) }
  }
}
