import AdminAPI
import Clustering
import EntityModel
import Proxy
import Storage
import Synchronization

/// One running gateway: the parts of its role, wired together, from start to the signal that ends it.
public struct GatewayProcess: Sendable {
  private let settings: GatewaySettings

  public init(settings: GatewaySettings) { self.settings = settings }

  /// Runs until SIGTERM, SIGINT or SIGQUIT, then finishes what is under way and returns.
  ///
  /// - Throws: `GatewayError` (or an error of the part) saying why the gateway cannot start.
  public func run() async throws {
    let processFile = ProcessFile(prefix: settings.prefix)
    try processFile.claim()
    defer { processFile.release() }
    let parts = try await GatewayParts(settings: settings)
    do {
      switch settings.role {
      case .traditional where settings.database == .off: try await runDeclarative(parts)
      case .traditional: try await runTraditional(parts)
      case .controlPlane: try await runControlPlane(parts)
      case .dataPlane: try await runDataPlane(parts)
      }
    } catch {
      parts.logger.critical("\(error)")
      await parts.shutDown()
      throw error
    }
    await parts.shutDown()
  }

  // MARK: Roles

  private func runTraditional(_ parts: GatewayParts) async throws {
    let store = try parts.openStore()
    let proxy = try await parts.startProxy()
    let applier = parts.applier(proxy)
    let node = GatewayNode(parts: parts, proxy: proxy, backing: .database(store))
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        await follow(store, parts) { snapshot, isFirst in
          try await applier.apply(snapshot, isReadWhole: isFirst)
        }
      }
      group.addTask { await removeExpired(from: store, parts) }
      parts.serve(store, node, in: &group)
      try await untilSignal(&group)
    }
    await parts.drain(proxy)
  }

  private func runDeclarative(_ parts: GatewayParts) async throws {
    let proxy = try await parts.startProxy()
    let declarative = DeclarativeConfiguration(
      store: MemoryStore(rules: parts.rules), applier: parts.applier(proxy), rules: parts.rules)
    if let (text, source) = try parts.declarativeText() {
      try await declarative.loadAtStart(text, source: source)
    }
    let node = GatewayNode(parts: parts, proxy: proxy, backing: .declarative(declarative))
    try await withThrowingTaskGroup(of: Void.self) { group in
      parts.serve(declarative.store, node, in: &group)
      try await untilSignal(&group)
    }
    await parts.drain(proxy)
  }

  private func runControlPlane(_ parts: GatewayParts) async throws {
    let backend = try parts.openBackend()
    let store = EntityStore(backend: backend, rules: parts.rules)
    let directory = try await StoredDataPlaneDirectory(
      store: DataPlaneStore(backend: backend, purgeDelay: settings.clusterDataPlanePurgeDelay), logger: parts.logger)
    let server = try await parts.startControlPlane(directory: directory)
    let node = GatewayNode(parts: parts, proxy: nil, backing: .database(store), controlPlane: server)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { await directory.writeRows() }
      group.addTask { await removeExpired(from: store, parts) }
      group.addTask {
        let encoder = Mutex(HybridEncoder())
        await follow(store, parts) { snapshot, isFirst in
          let payload = encoder.withLock { $0.encode(snapshot) }
          server.publish(
            ControlPlanePayload(table: payload.table, hash: payload.hash, hashes: payload.hashes))
          node.published(hash: payload.hash)
          if isFirst { FreedMemory.giveBack() }
        }
      }
      parts.serve(store, node, in: &group)
      try await untilSignal(&group)
    }
    await server.shutdown()
  }

  private func runDataPlane(_ parts: GatewayParts) async throws {
    let proxy = try await parts.startProxy()
    let applier = parts.applier(proxy)
    let store = MemoryStore(rules: parts.rules)
    let receiver = Mutex(HybridReceiver(rules: parts.rules))
    let client = try parts.makeDataPlaneClient { received in
      do {
        let (snapshot, isReadWhole) = try receiver.withLock { receiver in
          (try receiver.load(received.table, hash: received.hash), receiver.hasReadWhole)
        }
        try await applier.apply(snapshot, isReadWhole: isReadWhole)
        _ = store.replace(with: snapshot)
        return .success(())
      } catch {
        return .failure(ApplyFailure("\(error)"))
      }
    }
    await client.restoreLastGoodCopy()
    client.start()
    let node = GatewayNode(parts: parts, proxy: proxy, backing: .received(store))
    try await withThrowingTaskGroup(of: Void.self) { group in
      parts.serve(store, node, in: &group)
      try await untilSignal(&group)
    }
    await client.shutdown()
    await parts.drain(proxy)
  }

  // MARK: Following the store

  /// Hands the store's configuration on, now and after each change; changes that come together are taken together.
  private func follow(
    _ store: EntityStore, _ parts: GatewayParts,
    _ take: @Sendable (_ snapshot: ConfigSnapshot, _ isFirst: Bool) async throws -> Void
  ) async {
    let changes = store.changes.stream()
    func takeNow(isFirst: Bool) async {
      do {
        try await take(try await store.snapshot(), isFirst)
      } catch {
        parts.logger.error("the stored configuration is not in effect, the one before still runs: \(error)")
      }
    }
    await takeNow(isFirst: true)
    for await _ in changes { await takeNow(isFirst: false) }
  }

  /// Takes what has outlived its `ttl` out of the store, and so out of every data plane, about once a second.
  private func removeExpired(from store: EntityStore, _ parts: GatewayParts) async {
    while (try? await Task.sleep(for: .seconds(1))) != nil {
      do {
        try await store.removeExpired()
      } catch {
        parts.logger.error("expired entities cannot be removed from the store: \(error.message)")
      }
    }
  }

  /// Returns after the first signal, throws when a part fails; either way the other parts are told to end and awaited.
  private func untilSignal(_ group: inout ThrowingTaskGroup<Void, any Error>) async throws {
    struct Signalled: Error {}
    group.addTask {
      await TerminationSignal.wait()
      throw Signalled()
    }
    do {
      while try await group.next() != nil {}
    } catch is Signalled {}
    group.cancelAll()
  }
}
