import EpollTransport

/// The event loop of tests with sockets; it ends with the process.
enum TransportLoop {
  static let shared = Result { try EpollEventLoopGroup(numberOfThreads: 1).nextLoop() }
}
