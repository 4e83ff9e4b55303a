import EntityModel
import Storage

/// The configuration of a node without a database: loaded whole from a text, or left as it is.
///
/// An actor, so that of two texts that come together one is refused as busy, as Kong does.
actor DeclarativeConfiguration {
  nonisolated let store: MemoryStore
  private let applier: ConfigurationApplier
  private let loader: DeclarativeLoader
  private var isLoading = false

  init(store: MemoryStore, applier: ConfigurationApplier, rules: StoreRules) {
    self.store = store
    self.applier = applier
    loader = DeclarativeLoader(rules: rules)
  }

  /// Why a text does not become the configuration.
  enum Failure: Error {
    case busy
    case invalid(DeclarativeError)
    case cannotRun(GatewayError)
  }

  /// Loads the file named by the settings.
  ///
  /// - Throws: `GatewayError` with every error of the file, so that the node does not start.
  func loadAtStart(_ text: String, source: String) async throws(GatewayError) {
    do throws(Failure) {
      _ = try await load(text)
    } catch {
      switch error {
      case .busy: throw GatewayError("the configuration is being loaded already")
      case .invalid(let problem): throw GatewayError("error parsing declarative config file \(source):\n\(problem)")
      case .cannotRun(let problem): throw GatewayError("the configuration in \(source) cannot run: \(problem)")
      }
    }
  }

  /// Replaces the configuration.
  func load(_ text: String) async throws(Failure) -> ConfigSnapshot {
    guard !isLoading else { throw .busy }
    isLoading = true
    defer { isLoading = false }
    let snapshot: ConfigSnapshot
    do throws(DeclarativeError) {
      snapshot = try loader.load(text)
    } catch {
      throw .invalid(error)
    }
    do throws(GatewayError) {
      try await applier.apply(snapshot)
    } catch {
      throw .cannotRun(error)
    }
    defer { FreedMemory.giveBack() }
    return store.replace(with: snapshot, text: text)
  }
}
