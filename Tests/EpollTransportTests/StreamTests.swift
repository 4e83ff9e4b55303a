import EpollTransport
import GatewayTesting
import Glibc
import NIOCore
import NIOSSL
import Synchronization
import Testing

@Suite("Connections over epoll", .timeLimit(.minutes(2))) struct StreamTests {
  @Test("many connections get back what they send", arguments: [false, true], ["127.0.0.1", "::1"])
  func echo(isDirect: Bool, host: String) async throws {
    let loop = try Loops.next()
    let server = try await TestServer.start(on: loop, host: host) { channel in
      if isDirect { try DirectEcho.setUp(channel) } else { try channel.add(Echo()) }
    }
    let other = try Loops.next()
    let address = server.address
    let records = (0..<100).map { _ in Record() }
    for round in 0..<2 {
      let channels = try await withThrowingTaskGroup(of: StreamChannel.self) { group in
        for record in records {
          group.addTask {
            try await other.flatSubmit {
              other.connect(to: address, timeout: .seconds(10)) { try $0.add(Recorder(record)) }
            }.get()
          }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      for channel in channels { try await channel.writeAndFlush(ByteBuffer(string: "round \(round)")).get() }
      #expect(await eventually { records.allSatisfy { $0.contains("read round \(round)") } })
      for channel in channels { try await channel.close().get() }
      for channel in channels { try await channel.closeFuture.get() }
    }
    try await server.stop()
  }

  @Test("a large answer waits for its reader, and memory stays near the water mark")
  func backPressure() async throws {
    let most = Tally()
    let total = 16 << 20
    let server = try await TestServer.start(on: Loops.next()) { try $0.add(Source(total: total, most: most)) }
    let connection = try SocketConnection(port: server.port)
    #expect(await eventually { most.value > 262_144 })
    var received = 0
    while true {
      let chunk = try connection.receive()
      if chunk.isEmpty { break }
      // Each byte tells its place.
      #expect(chunk[0] == UInt8(truncatingIfNeeded: received / Source.piece))
      #expect(chunk[chunk.count - 1] == UInt8(truncatingIfNeeded: (received + chunk.count - 1) / Source.piece))
      received += chunk.count
    }
    #expect(received == total)
    #expect(most.value <= 262_144 + Source.piece)
    try await server.stop()
  }

  @Test("a large echo goes through both directions with its reader behind", arguments: [false, true])
  func largeEcho(isDirect: Bool) async throws {
    let server = try await TestServer.start(on: Loops.next()) { channel in
      if isDirect { try DirectEcho.setUp(channel) } else { try channel.add(Echo()) }
    }
    let loop = try Loops.next()
    let count = Tally()
    let address = server.address
    let channel = try await loop.flatSubmit {
      loop.connect(to: address, timeout: .seconds(10)) { try $0.add(Counter(count)) }
    }.get()
    let piece = ByteBuffer(repeating: 7, count: 1 << 20)
    for _ in 0..<16 { try await channel.writeAndFlush(piece).get() }
    #expect(await eventually { count.value == 16 << 20 })
    try await channel.close().get()
    try await server.stop()
  }

  @Test("nothing is read while nobody wants it, and all of it afterwards")
  func withoutAutoRead() async throws {
    let loop = try Loops.next()
    let record = Record()
    let accepted = Mutex<StreamChannel?>(nil)
    var options = StreamOptions()
    options.autoRead = false
    let server = try await TestServer.start(on: loop, options: options) { channel in
      accepted.withLock { $0 = channel }
      try channel.add(Recorder(record))
    }
    let connection = try SocketConnection(port: server.port)
    try connection.send("hello")
    #expect(await eventually { record.contains("active") })
    try await loop.submit {}.get()
    #expect(!record.contains("read hello"))
    let channel = try #require(accepted.withLock { $0 })
    channel.read()
    #expect(await eventually { record.contains("read hello") })
    try connection.send("again")
    try await loop.submit {}.get()
    try await loop.submit {}.get()
    #expect(!record.contains("read again"))
    try await channel.setOption(.autoRead, value: true).get()
    #expect(await eventually { record.contains("read again") })
    try await server.stop()
  }

  @Test("a peer that has nothing more to say ends the connection, or its direction where that is allowed")
  func halfClosure() async throws {
    let loop = try Loops.next()
    for isAllowed in [false, true] {
      let record = Record()
      var options = StreamOptions()
      options.allowsRemoteHalfClosure = isAllowed
      let server = try await TestServer.start(on: loop, options: options) { channel in
        try channel.add(HalfCloser(record))
      }
      let connection = try SocketConnection(port: server.port)
      try connection.send("question")
      connection.finishSending()
      let answer = try connection.receiveAll()
      #expect(answer == (isAllowed ? "answer" : ""))
      #expect(await eventually { record.contains("inactive") })
      #expect(record.contains("input closed") == isAllowed)
      #expect(record.contains("read question"))
      try await server.stop()
    }
  }

  @Test("our direction closes after what was written; the peer's stays open")
  func closeOutput() async throws {
    let loop = try Loops.next()
    let record = Record()
    let accepted = Mutex<StreamChannel?>(nil)
    let server = try await TestServer.start(on: loop) { channel in
      accepted.withLock { $0 = channel }
      try channel.add(Recorder(record))
    }
    let connection = try SocketConnection(port: server.port)
    #expect(await eventually { record.contains("active") })
    let channel = try #require(accepted.withLock { $0 })
    // More than the socket takes at once.
    let size = 8 << 20
    channel.writeAndFlush(ByteBuffer(repeating: 1, count: size), promise: nil)
    let closing = loop.makePromise(of: Void.self)
    channel.close(mode: .output, promise: closing)
    #expect(try connection.receiveAll().utf8.count == size)
    try await closing.futureResult.get()
    #expect(record.contains("output closed"))
    try connection.send("still there")
    #expect(await eventually { record.contains("read still there") })
    await #expect(throws: ChannelError.outputClosed) { try await channel.writeAndFlush(ByteBuffer(string: "x")).get() }
    connection.finishSending()
    #expect(await eventually { record.contains("inactive") })
    try await server.stop()
  }

  @Test("a reset ends the connection, after what was sent before")
  func reset() async throws {
    let record = Record()
    let server = try await TestServer.start(on: Loops.next()) { try $0.add(Recorder(record)) }
    let descriptor = RawSocket.connect(to: server.port)
    #expect(await eventually { record.contains("active") })
    #expect(Glibc.send(descriptor, "last", 4, 0) == 4)
    RawSocket.reset(descriptor)
    #expect(await eventually { record.contains("inactive") })
    #expect(record.contains("read last"))
    #expect(record.contains("error"))
    try await server.stop()
  }

  @Test("an answer that came before the peer closed is read though writing fails")
  func answerBeforeClose() async throws {
    let (listening, port) = RawSocket.listen()
    defer { close(listening) }
    let loop = try Loops.next()
    let record = Record()
    var options = StreamOptions()
    options.autoRead = false
    let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
    let connecting = loop.flatSubmit { [options] in
      loop.connect(to: address, timeout: .seconds(10), options: options) { try $0.add(Recorder(record)) }
    }
    let peer = accept(listening, nil, nil)
    let channel = try await connecting.get()
    #expect(Glibc.send(peer, "too large", 9, 0) == 9)
    close(peer)
    // The first write is answered with a reset, one of the next fails.
    #expect(
      await eventually {
        channel.writeAndFlush(ByteBuffer(string: "body"), promise: nil)
        return record.contains("inactive")
      })
    #expect(record.contains("read too large"))
    await #expect(throws: ChannelError.ioOnClosedChannel) {
      try await channel.writeAndFlush(ByteBuffer(string: "x")).get()
    }
  }

  @Test("a refused connect fails with the system's error")
  func refused() async throws {
    let loop = try Loops.next()
    let address = try SocketAddress(ipAddress: "127.0.0.1", port: refusingPort())
    let error = await #expect(throws: IOError.self) {
      _ = try await loop.flatSubmit { loop.connect(to: address, timeout: .seconds(10)) { _ in } }.get()
    }
    #expect(error?.errnoCode == ECONNREFUSED)
  }

  @Test("a connect that nobody answers ends in time")
  func connectTimeout() async throws {
    let (listening, port) = RawSocket.listen()
    // A backlog that is full: the system drops further attempts.
    let fillers = (0..<4).map { _ in RawSocket.connect(to: port, isBlocking: false) }
    defer { for descriptor in fillers + [listening] { close(descriptor) } }
    let loop = try Loops.next()
    let address = try SocketAddress(ipAddress: "127.0.0.1", port: port)
    await #expect(throws: ChannelError.connectTimeout(.milliseconds(50))) {
      _ = try await loop.flatSubmit { loop.connect(to: address, timeout: .milliseconds(50)) { _ in } }.get()
    }
  }

  @Test("a handler may close within a read: nothing follows")
  func closeWithinRead() async throws {
    let record = Record()
    let server = try await TestServer.start(on: Loops.next()) { channel in
      try channel.add(
        Recorder(record) { context in
          context.close(promise: nil)
          record.add("closed")
        })
    }
    let connection = try SocketConnection(port: server.port)
    try connection.send("a")
    #expect(try connection.receiveAll() == "")
    #expect(await eventually { record.contains("closed") })
    #expect(record.all == ["active", "read a", "inactive", "closed"])
    try await server.stop()
  }

  @Test("writes before the connection stands go out with it; promises tell when each is whole")
  func writesAndPromises() async throws {
    let server = try await TestServer.start(on: Loops.next()) { try $0.add(Echo()) }
    let loop = try Loops.next()
    let address = server.address
    let record = Record()
    let channel = try await loop.flatSubmit {
      loop.connect(to: address, timeout: .seconds(10)) { channel in
        try channel.add(Recorder(record))
        channel.writeAndFlush(ByteBuffer(string: "early"), promise: nil)
      }
    }.get()
    #expect(await eventually { record.contains("read early") })
    let written = Mutex<[Int]>([])
    let writes = try await loop.submit {
      let writes = (0..<200).map { number in
        let write = channel.write(ByteBuffer(repeating: 1, count: number * 100))
        write.whenSuccess { written.withLock { $0.append(number) } }
        return write
      }
      channel.flush()
      return writes
    }.get()
    for write in writes { try await write.get() }
    #expect(written.withLock { $0 } == Array(0..<200))
    // Not flushed: the close fails it.
    let unfinished = channel.write(ByteBuffer(string: "x"))
    try await channel.close().get()
    await #expect(throws: ChannelError.self) { try await unfinished.get() }
    await #expect(throws: ChannelError.alreadyClosed) { try await channel.close().get() }
    try await server.stop()
  }

  @Test("TLS works on it, both ways and in large pieces")
  func tls() async throws {
    let server = try await TestServer.start(on: Loops.next()) { channel in
      try ServerCertificate.serve(on: channel)
      try channel.add(Echo())
    }
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = try ServerCertificate.trusted()
    let context = try NIOSSLContext(configuration: configuration)
    let loop = try Loops.next()
    let count = Tally()
    let address = server.address
    let channel = try await loop.flatSubmit {
      loop.connect(to: address, timeout: .seconds(10)) { channel in
        try channel.add(NIOSSLClientHandler(context: context, serverHostname: "localhost"))
        try channel.add(Counter(count))
      }
    }.get()
    let piece = ByteBuffer(repeating: 7, count: 1 << 20)
    for _ in 0..<4 { try await channel.writeAndFlush(piece).get() }
    #expect(await eventually { count.value == 4 << 20 })
    try await channel.close().get()
    try await server.stop()
  }

  @Test("an address in use is refused; with SO_REUSEPORT it is shared, and Unix sockets listen too")
  func binding() async throws {
    let loop = try Loops.next()
    let server = try await TestServer.start(on: loop) { try $0.add(Echo()) }
    let address = server.address
    let error = await #expect(throws: IOError.self) {
      _ = try await loop.submit { try loop.listen(on: address, backlog: 1) { _ in } }.get()
    }
    #expect(error?.errnoCode == EADDRINUSE)
    try await server.stop()
    let any = try SocketAddress(ipAddress: "127.0.0.1", port: 0)
    let first = try await loop.submit { try loop.listen(on: any, backlog: 1, reusesPort: true) { _ in } }.get()
    let second = try await loop.submit {
      try loop.listen(on: first.localAddress, backlog: 1, reusesPort: true) { _ in }
    }.get()
    #expect(first.localAddress.port == second.localAddress.port)
    try await first.close().get()
    try await second.close().get()

    let path = "/tmp/sluice-epoll-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
    defer { unlink(path) }
    let unix = try SocketAddress(unixDomainSocketPath: path)
    let listener = try await loop.submit { try loop.listen(on: unix, backlog: 1) { try $0.add(Echo()) } }.get()
    let record = Record()
    let channel = try await loop.flatSubmit {
      loop.connect(to: unix, timeout: .seconds(10)) { try $0.add(Recorder(record)) }
    }.get()
    try await channel.writeAndFlush(ByteBuffer(string: "local")).get()
    #expect(await eventually { record.contains("read local") })
    try await channel.close().get()
    try await listener.close().get()
  }
}

/// A number that a channel's loop writes and a test reads.
private final class Tally: Sendable {
  private let number = Atomic<Int>(0)

  var value: Int { number.load(ordering: .relaxed) }
  func add(_ amount: Int) { number.add(amount, ordering: .relaxed) }
  func raise(to amount: Int) { number.max(amount, ordering: .relaxed) }
}

/// Writes `total` bytes as fast as they are taken, then closes its direction.
private final class Source: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  static let piece = 131_072

  private let total: Int
  private let most: Tally
  private var sent = 0

  init(total: Int, most: Tally) {
    self.total = total
    self.most = most
  }

  func channelActive(context: ChannelHandlerContext) { fill(context) }
  func channelWritabilityChanged(context: ChannelHandlerContext) { fill(context) }

  private func fill(_ context: ChannelHandlerContext) {
    while context.channel.isWritable, sent < total {
      let size = min(Self.piece, total - sent)
      let start = sent
      sent += size
      let bytes = ByteBuffer(repeating: UInt8(truncatingIfNeeded: start / Self.piece), count: size)
      context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
      if let waiting = try? context.channel.syncOptions?.getOption(.bufferedWritableBytes) { most.raise(to: waiting) }
      if sent == total { context.close(mode: .output, promise: nil) }
    }
  }
}

/// Counts bytes.
private final class Counter: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let count: Tally

  init(_ count: Tally) { self.count = count }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { count.add(unwrapInboundIn(data).readableBytes) }
}

/// Answers when the peer has nothing more to say.
private final class HalfCloser: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let record: Record

  init(_ record: Record) { self.record = record }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    record.add("read " + String(buffer: unwrapInboundIn(data)))
  }

  func channelInactive(context: ChannelHandlerContext) { record.add("inactive") }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard case .inputClosed = event as? ChannelEvent else { return }
    record.add("input closed")
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: "answer")), promise: nil)
    context.close(mode: .output, promise: nil)
  }
}
