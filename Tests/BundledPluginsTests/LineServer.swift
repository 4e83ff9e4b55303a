import NIOCore
import NIOPosix
import Synchronization

/// A server that collects lines, and can be told to drop connections or to read nothing.
final class LineServer: Sendable {
  let port: Int
  private let channel: any Channel
  private let state: State

  private final class State: Sendable {
    let lines = Mutex<[String]>([])
    let connections = Mutex<[any Channel]>([])
    let connectionCount = Atomic<Int>(0)
  }

  static func start(
    boundSocket: CInt? = nil, reads: Bool = true,
    prepare: @escaping @Sendable (any Channel) throws -> Void = { _ in }
  ) async throws -> LineServer {
    let state = State()
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.autoRead, value: reads)
      .childChannelInitializer { channel in
        state.connections.withLock { $0.append(channel) }
        state.connectionCount.add(1, ordering: .relaxed)
        return channel.eventLoop.makeCompletedFuture {
          try prepare(channel)
          try channel.pipeline.syncOperations.addHandler(Reader(state))
        }
      }
    let channel =
      if let boundSocket {
        try await bootstrap.withBoundSocket(boundSocket).get()
      } else {
        try await bootstrap.bind(host: "127.0.0.1", port: 0).get()
      }
    return LineServer(channel, state)
  }

  private init(_ channel: any Channel, _ state: State) {
    self.channel = channel
    self.state = state
    port = channel.localAddress?.port ?? 0
  }

  var lines: [String] { state.lines.withLock { $0 } }
  var connectionCount: Int { state.connectionCount.load(ordering: .relaxed) }

  /// Closes the connections there are; new ones are taken.
  func dropConnections() async {
    let channels = state.connections.withLock { channels in
      defer { channels = [] }
      return channels
    }
    for channel in channels { try? await channel.close().get() }
  }

  private final class Reader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let state: State
    private var rest = ""

    init(_ state: State) { self.state = state }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      rest += String(buffer: unwrapInboundIn(data))
      var parts = rest.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      rest = parts.removeLast()
      state.lines.withLock { $0 += parts }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
