import CEpoll
import Glibc
import NIOCore

/// A listening socket of one loop: its connections are worked on there.
///
/// Sound: confined to its loop, but for constants; `close()` goes there.
public final class Listener: EpollSource, @unchecked Sendable {
  /// Connections that are accepted before others get their turn.
  private static let batch = 64
  /// How long nothing is accepted after the system had no descriptor or memory left.
  private static let pause = TimeAmount.milliseconds(100)
  private static let exhaustion: Set<CInt> = [EMFILE, ENFILE, ENOBUFS, ENOMEM]
  /// The connection is gone or forbidden; the next one may be there.
  private static let passing: Set<CInt> = [
    ECONNABORTED, EPERM, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTDOWN, ENONET, EHOSTUNREACH, EOPNOTSUPP, ENETUNREACH,
  ]

  public let loop: EpollEventLoop
  /// With the port that was chosen.
  public let localAddress: SocketAddress
  private let descriptor: CInt
  private let options: StreamOptions
  private let setUp: (StreamChannel) throws -> Void
  private let whenExhausted: (IOError) -> Void
  private var isClosed = false
  private var isPausing = false
  /// There was no descriptor or memory for the last connection.
  private var isExhausted = false

  fileprivate init(
    loop: EpollEventLoop, descriptor: CInt, localAddress: SocketAddress, options: StreamOptions,
    setUp: @escaping (StreamChannel) throws -> Void, whenExhausted: @escaping (IOError) -> Void
  ) {
    self.loop = loop
    self.descriptor = descriptor
    self.localAddress = localAddress
    self.options = options
    self.setUp = setUp
    self.whenExhausted = whenExhausted
  }

  override func handle(_ events: UInt32) { if !isPausing { accept() } }

  override func continueWork() { if !isPausing { accept() } }

  override func loopEnds() { closeHere() }

  private func accept() {
    for _ in 0..<Self.batch {
      guard !isClosed else { return }
      var storage = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let accepted = slu_accept(descriptor, &storage, &length)
      if accepted >= 0 {
        isExhausted = false
        begin(accepted, SocketAddress(storage))
      } else if accepted == -EAGAIN {
        return
      } else if Self.exhaustion.contains(-accepted) {
        isPausing = true
        loop.scheduleTask(in: Self.pause) { [self] in
          isPausing = false
          accept()
        }
        if !isExhausted { whenExhausted(IOError(errnoCode: -accepted, reason: "accept4")) }
        isExhausted = true
        return
      } else if !Self.passing.contains(-accepted) {
        return
      }
    }
    loop.continueLater(self)
  }

  private func begin(_ accepted: CInt, _ remote: SocketAddress?) {
    // The option TCP_NODELAY was inherited from the listening socket.
    let channel = StreamChannel(loop: loop, descriptor: accepted, options: options)
    let local = localAddress.isWildcard ? SocketAddress.local(of: accepted) : localAddress
    channel.setAddresses(remote: remote, local: local)
    do {
      try setUp(channel)
    } catch {
      return channel.close0(error: error, mode: .all, promise: nil)
    }
    channel.start()
  }

  /// Takes no more connections; those that were accepted go on. May be called from anywhere, and again.
  public func close() -> EventLoopFuture<Void> { loop.submit { self.closeHere() } }

  private func closeHere() {
    guard !isClosed else { return }
    isClosed = true
    loop.forget(self)
    slu_close(descriptor)
  }
}

extension EpollEventLoop {
  /// Listens on an address. To be called on the loop.
  ///
  /// - Parameters:
  ///   - reusesPort: other sockets may listen on the same port (`SO_REUSEPORT`); the system spreads connections.
  ///   - setUp: puts the handlers into a new connection. Called on the loop; a throw closes the connection.
  ///   - whenExhausted: told when the system has no descriptor or memory for a connection, once until there is one
  ///   again;
  ///     it is tried every 100 milliseconds.
  /// - Throws: `IOError` when the address cannot be bound or an option is not supported.
  public func listen(
    on address: SocketAddress, backlog: CInt, reusesPort: Bool = false, options: StreamOptions = StreamOptions(),
    setUp: @escaping (StreamChannel) throws -> Void, whenExhausted: @escaping (IOError) -> Void = { _ in }
  ) throws -> Listener {
    preconditionInEventLoop()
    let descriptor = try Self.checked(slu_stream_socket(address.protocol.rawValue), "socket")
    do {
      if address.protocol != .unix {
        _ = try Self.checked(slu_set_option(descriptor, SOL_SOCKET, SO_REUSEADDR, 1), "SO_REUSEADDR")
        if reusesPort { _ = try Self.checked(slu_set_option(descriptor, SOL_SOCKET, SO_REUSEPORT, 1), "SO_REUSEPORT") }
        if options.isNoDelay {
          _ = try Self.checked(slu_set_option(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1), "TCP_NODELAY")
        }
      }
      _ = try Self.checked(
        address.withSockAddr { slu_listen(descriptor, $0, socklen_t($1), backlog) }, "bind \(address)")
      let listener = Listener(
        loop: self, descriptor: descriptor, localAddress: SocketAddress.local(of: descriptor) ?? address,
        options: options, setUp: setUp, whenExhausted: whenExhausted)
      try watch(listener, descriptor, inputOnly: true)
      return listener
    } catch {
      slu_close(descriptor)
      throw error
    }
  }

  /// Connects to an address. To be called on the loop.
  ///
  /// - Parameter setUp: puts the handlers into the channel before it connects; a throw fails the connect.
  /// - Returns: the channel when it is active; fails with `ChannelError.connectTimeout` or `IOError`.
  public func connect(
    to address: SocketAddress, timeout: TimeAmount?, options: StreamOptions = StreamOptions(),
    setUp: (StreamChannel) throws -> Void
  ) -> EventLoopFuture<StreamChannel> {
    preconditionInEventLoop()
    let descriptor: CInt
    do {
      descriptor = try Self.checked(slu_stream_socket(address.protocol.rawValue), "socket")
    } catch {
      return makeFailedFuture(error)
    }
    if options.isNoDelay, address.protocol != .unix {
      _ = slu_set_option(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, 1)
    }
    let channel = StreamChannel(loop: self, descriptor: descriptor, options: options)
    channel.connectTimeout = timeout
    do {
      try setUp(channel)
    } catch {
      channel.close0(error: error, mode: .all, promise: nil)
      return makeFailedFuture(error)
    }
    let connected = makePromise(of: Void.self)
    channel.register0(promise: nil)
    channel.connect(address, connected)
    return connected.futureResult.map { channel }
  }
}
