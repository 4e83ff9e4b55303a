import EpollTransport
import Glibc
import NIOCore
import Synchronization

/// Two loops for all tests; they end with the process.
enum Loops {
  private static let shared = Result { try EpollEventLoopGroup(numberOfThreads: 2) }

  static func group() throws -> EpollEventLoopGroup { try shared.get() }
  static func next() throws -> EpollEventLoop { try group().nextLoop() }
}

/// A server of one loop.
struct TestServer {
  let listener: Listener

  var address: SocketAddress { listener.localAddress }
  var port: Int { listener.localAddress.port ?? 0 }

  static func start(
    on loop: EpollEventLoop, host: String = "127.0.0.1", options: StreamOptions = StreamOptions(),
    _ setUp: @escaping @Sendable (StreamChannel) throws -> Void
  ) async throws -> TestServer {
    let address = try SocketAddress(ipAddress: host, port: 0)
    return TestServer(
      listener: try await loop.submit {
        try loop.listen(on: address, backlog: 128, options: options, setUp: setUp)
      }.get())
  }

  func stop() async throws { try await listener.close().get() }
}

extension StreamChannel {
  func add(_ handler: some ChannelHandler) throws { try pipeline.syncOperations.addHandler(handler) }
}

/// Sends back what comes, by the pipeline.
final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.write(data, promise: nil) }
  func channelReadComplete(context: ChannelHandlerContext) { context.flush() }
}

/// Sends back what comes, by direct calls, and reads only while the peer takes it.
final class DirectEcho: ChannelInboundHandler, DirectHandler {
  typealias InboundIn = ByteBuffer

  private unowned let channel: StreamChannel
  private var waits = false

  init(_ channel: StreamChannel) { self.channel = channel }

  static func setUp(_ channel: StreamChannel) throws {
    let handler = DirectEcho(channel)
    channel.directHandler = handler
    try channel.add(handler)
  }

  func received(_ bytes: ByteBuffer) {
    var bytes = bytes
    channel.sendAtOnce(&bytes)
    if bytes.readableBytes > 0 { channel.enqueue(bytes) }
  }

  func receivedAll() { channel.flush0() }

  func wantsToRead() -> Bool {
    waits = !channel.isWritable
    return !waits
  }

  func writabilityChanged(to isWritable: Bool) {
    guard isWritable, waits else { return }
    waits = false
    channel.read0()
  }
}

/// What a channel said, for a test that waits for it.
final class Record: Sendable {
  private let entries = Mutex<[String]>([])

  func add(_ entry: String) { entries.withLock { $0.append(entry) } }
  var all: [String] { entries.withLock { $0 } }
  func contains(_ entry: String) -> Bool { all.contains(entry) }
}

/// Writes down what happens, with the bytes as text.
final class Recorder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let record: Record
  private let onRead: (ChannelHandlerContext) -> Void

  init(_ record: Record, onRead: @escaping (ChannelHandlerContext) -> Void = { _ in }) {
    self.record = record
    self.onRead = onRead
  }

  func channelActive(context: ChannelHandlerContext) { record.add("active") }
  func channelInactive(context: ChannelHandlerContext) { record.add("inactive") }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    record.add("read " + String(buffer: unwrapInboundIn(data)))
    onRead(context)
  }

  func channelReadComplete(context: ChannelHandlerContext) { record.add("complete") }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    switch event as? ChannelEvent {
    case .inputClosed: record.add("input closed")
    case .outputClosed: record.add("output closed")
    case nil: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { record.add("error") }
}

/// A socket of the system, for what a test client does not do.
enum RawSocket {
  static func connect(to port: Int, isBlocking: Bool = true) -> CInt {
    let kind = CInt(SOCK_STREAM.rawValue) | (isBlocking ? 0 : CInt(SOCK_NONBLOCK.rawValue))
    let descriptor = socket(AF_INET, kind, 0)
    var address = loopback(port)
    _ = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return descriptor
  }

  /// Listens and never accepts.
  static func listen() -> (descriptor: CInt, port: Int) {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = loopback(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        _ = Glibc.listen(descriptor, 0)
        _ = getsockname(descriptor, $0, &length)
      }
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }

  /// Closes with a reset.
  static func reset(_ descriptor: CInt) {
    var option = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    close(descriptor)
  }

  private static func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }
}
