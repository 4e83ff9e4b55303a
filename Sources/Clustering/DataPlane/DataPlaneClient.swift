import EntityModel
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Follows a control plane: connects, reports, applies what it is sent, and keeps trying (Kong fact, hybrid §3 and §5).
///
/// Configurations are applied one after the other; of several that arrive meanwhile only the latest is. One that
/// cannot be applied is logged and forgotten: the running one stays, and so does the hash that is reported.
public final class DataPlaneClient: Sendable {
  public typealias Apply = @Sendable (ReceivedConfiguration) async -> Result<Void, ApplyFailure>

  private struct State {
    var running: ReceivedConfiguration?
    var channel: (any Channel)?
    var retryAfter: Duration?
    var tasks: [Task<Void, Never>] = []
    var isStarted = false
  }

  private let configuration: DataPlaneConfiguration
  private let group: any EventLoopGroup
  private let apply: Apply
  private let state = Mutex(State())
  private let inbox: AsyncStream<ReceivedMessage>
  private let inboxInput: AsyncStream<ReceivedMessage>.Continuation
  private let copyWriter: LastGoodWriter?

  /// - Parameter apply: puts a configuration in force, or says why not and leaves the running one. Never called twice
  ///   at once.
  public init(
    configuration: DataPlaneConfiguration, group: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton,
    apply: @escaping Apply
  ) {
    self.configuration = configuration
    self.group = group
    self.apply = apply
    copyWriter = configuration.lastGoodCopy.map { copy in
      LastGoodWriter(
        copy: copy, quiet: .milliseconds(.random(in: configuration.timings.copyQuiet)),
        longest: .milliseconds(configuration.timings.copyLongest), logger: configuration.logger)
    }
    (inbox, inboxInput) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  private var logger: Logger { configuration.logger }

  /// The hash that is reported: 32 characters, all `0` without a configuration.
  public var configHash: String { state.withLock { $0.running?.hash } ?? Reconfigure.emptyHash }

  /// Whether a connection to the control plane stands.
  public var isConnected: Bool { state.withLock { $0.channel != nil } }

  /// Applies the last-good copy, if there is one. Call before ``start()``, so that the node serves without waiting for
  /// its control plane.
  ///
  /// - Returns: whether a configuration is in force now.
  @discardableResult
  public func restoreLastGoodCopy() async -> Bool {
    guard let copy = configuration.lastGoodCopy?.load(logger: logger) else { return false }
    switch await apply(copy) {
    case .success:
      state.withLock { $0.running = copy }
      logger.notice("serving the last-good configuration \(copy.hash)")
      return true
    case .failure(let failure):
      logger.error("the last-good configuration cannot be applied: \(failure)")
      return false
    }
  }

  /// Begins to connect and to apply, in the background. A second call does nothing.
  public func start() {
    state.withLock { state in
      guard !state.isStarted else { return }
      state.isStarted = true
      // The one that applies is the last: shutdown() always waits for it.
      state.tasks = [Task { await self.stayConnected() }, Task { await self.applyReceived() }]
    }
  }

  /// Closes the connection and waits until a configuration that is being applied is done and the last-good copy is
  /// written. An attempt to connect that is
  /// under way is not waited for: it ends by itself.
  public func shutdown() async {
    let (tasks, channel) = state.withLock { state in
      state.isStarted = true
      return (state.tasks, state.channel)
    }
    inboxInput.finish()
    for task in tasks { task.cancel() }
    channel?.close(promise: nil)
    for task in channel == nil ? tasks.suffix(1) : tasks[...] { await task.value }
    await copyWriter?.flush()
  }

  // MARK: Connecting

  private func stayConnected() async {
    var attempt = 0
    while !Task.isCancelled {
      do {
        try await connect { attempt = 0 }
        logger.warning("connection to the control plane closed")
      } catch {
        logger.warning(
          "connection to control plane \(configuration.host):\(configuration.port) failed: \(error)")
      }
      attempt += 1
      let wait = state.withLock { state in
        defer { state.retryAfter = nil }
        return state.retryAfter
      }
      do {
        try await Task.sleep(for: wait ?? configuration.reconnectDelay.delay(attempt))
      } catch {
        return
      }
    }
  }

  /// Connects and returns when the connection has ended. `stood` runs once it stands.
  private func connect(stood: () -> Void) async throws {
    let configuration = configuration
    let pending = try await ClientBootstrap(group: group)
      .connectTimeout(.seconds(5))
      .channelOption(.socketOption(.tcp_nodelay), value: 1)
      .connect(host: configuration.host, port: configuration.port) { channel in
        channel.eventLoop.makeCompletedFuture {
          let outcome = try self.configure(channel)
          return Pending(channel: channel, outcome: outcome)
        }
      }
    let channel = pending.channel
    let deadline = channel.eventLoop.scheduleTask(in: configuration.timings.handshake) { channel.close(promise: nil) }
    try await withTaskCancellationHandler {
      defer {
        state.withLock { $0.channel = nil }
        channel.close(promise: nil)
      }
      let outcome = try await pending.outcome.get()
      deadline.cancel()
      if case .connected = outcome {
        stood()
        channel.triggerUserOutboundEvent(ControlPlaneSession.Begin(), promise: nil)
        logger.notice("connected to control plane \(configuration.host):\(configuration.port)")
      }
      try? await channel.closeFuture.get()
    } onCancel: {
      channel.close(promise: nil)
    }
    deadline.cancel()
  }

  private struct Pending: Sendable {
    let channel: any Channel
    let outcome: EventLoopFuture<OutletPipeline.Outcome>
  }

  private func configure(_ channel: any Channel) throws -> EventLoopFuture<OutletPipeline.Outcome> {
    let configuration = configuration
    var info = configuration.info
    info.takesDifferences = true
    let firstFrame = info.serialized()
    return try OutletPipeline.configureClient(
      channel, tls: configuration.identity.makeClientHandler(),
      authority: "\(configuration.host):\(configuration.port)",
      request: OutletRequest(
        nodeID: configuration.nodeID, hostname: configuration.hostname, version: configuration.version),
      maxPayload: configuration.maxPayload,
      accept: { [inboxInput] channel in
        channel.eventLoop.makeCompletedFuture {
          let session = ControlPlaneSession(
            info: firstFrame, timings: configuration.timings, maxPayload: configuration.maxPayload,
            logger: configuration.logger, hash: { self.configHash },
            received: { inboxInput.yield($0) })
          // Before the first frame can arrive, so that its hash is reported.
          self.state.withLock { $0.channel = channel }
          try channel.pipeline.syncOperations.addHandler(session)
        }
      },
      refused: { status, retryAfter in
        configuration.logger.error("the control plane answered \(status.code) \(status.reasonPhrase)")
        if status == .tooManyRequests || status == .serviceUnavailable, let seconds = retryAfter.flatMap({ Int($0) }) {
          self.state.withLock { $0.retryAfter = .seconds(min(max(0, seconds), 3600)) }
        }
      })
  }

  // MARK: Applying

  private func applyReceived() async {
    var decoder = SegmentedDecoder()
    for await message in inbox {
      if await take(message, &decoder) {
        let channel = state.withLock { $0.channel }
        channel?.triggerUserOutboundEvent(ControlPlaneSession.ReportHash(), promise: nil)
      }
    }
  }

  /// Applies one message. True when its hash is to be reported.
  private func take(_ message: ReceivedMessage, _ decoder: inout SegmentedDecoder) async -> Bool {
    let received: ReceivedConfiguration
    do throws(ProtocolFailure) {
      received = try Reconfigure.parse(
        message, limit: DataPlaneConfiguration.maxInflated(for: configuration.maxPayload), decoder: &decoder)
    } catch {
      logger.error("unable to update running config: bad config received from control plane \(error)")
      return false
    }
    if let running = state.withLock({ $0.running }), running.isSame(as: received) { return true }
    if case .failure(let failure) = await apply(received) {
      logger.error("unable to update running config: bad config received from control plane \(failure)")
      return false
    }
    state.withLock { $0.running = received }
    copyWriter?.keep(message)
    return true
  }
}
