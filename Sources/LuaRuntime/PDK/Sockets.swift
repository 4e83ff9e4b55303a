import NIOCore
import PluginKit

/// What `ngx.socket` is made of: client sockets that wait without blocking. Source: Kong fact, pdk §7.
enum SocketNamespace {
  static let functions: [PDKFunction] = [
    .controlling(
      "socket.connect", .any, level: .internal, arguments: "host, port, timeout, pool",
      "Opens a connection, or takes one.",
      { (call) throws(LuaFault) in
        guard let host = call.string(0), let port = call.whole(1, in: 0...65535), let state = call.host.runningState
        else {
          throw LuaFault("no request found")
        }
        let timeout = timeout(call, 2)
        if let socket = call.host.socketPools.take(poolName(call, 3)) {
          socket.reuseCount += 1
          call.returns(state.add(socket))
          return .returned
        }
        return .wait(
          LuaWait { _, eventLoop, completion in
            let socket = LuaSocket(eventLoop)
            socket.connect(host: host, port: port, timeout: timeout) { failure in
              completion { call in
                if let failure { return call.returnsFailure(failure) }
                call.returns(state.add(socket))
              }
            }
          })
      }),
    .controlling(
      "socket.secure", .any, level: .internal, arguments: "number, name, verifies, timeout, certificates, key",
      wants: .tables, "Goes over to TLS.",
      { (call) throws(LuaFault) in
        guard let socket = socket(call) else { return closed(call) }
        let name = call.string(1)
        let verifies = call.isTruthy(2)
        let timeout = timeout(call, 3)
        let certificates = call.value(4).list.compactMap(\.text)
        let key = call.string(5)
        let tls = call.host.settings.socketTLS
        return .wait(
          LuaWait { _, eventLoop, completion in
            // Loading the trusted certificates reads files; afterwards all goes on on the event loop.
            nonisolated(unsafe) let (socket, completion) = (socket, completion)
            let context = tls.context(
              verifies: verifies, certificates: certificates, key: key, eventLoop: eventLoop)
            context.whenComplete { result in
              switch result {
              case .success(let context):
                socket.secure(context, serverName: name, timeout: timeout) { failure in
                  completion { call in
                    if let failure { call.returnsFailure(failure) } else { call.returns(true) }
                  }
                }
              case .failure(let error): completion { $0.returnsFailure("TLS cannot be set up: \(error)") }
              }
            }
          })
      }),
    .controlling(
      "socket.send", .any, level: .internal, arguments: "number, data, timeout", wants: .tables, "Sends bytes.",
      { (call) throws(LuaFault) in
        guard let socket = socket(call) else { return closed(call) }
        let buffer = try buffer(call, 1)
        let timeout = timeout(call, 2)
        return .wait(
          LuaWait { _, _, completion in
            socket.send(buffer, timeout: timeout) { failure in
              completion { call in
                if let failure { call.returnsFailure(failure) } else { call.returns(buffer.readableBytes) }
              }
            }
          })
      }),
    .controlling(
      "socket.receive", .any, level: .internal, arguments: "number, kind, count, timeout", "Receives bytes.",
      { (call) throws(LuaFault) in
        guard let socket = socket(call) else { return closed(call) }
        let count = call.number(2).flatMap { Int(exactly: $0.rounded(.down)) } ?? 0
        let kind: LuaSocket.Amount =
          switch call.string(1) {
          case "n": .bytes(count)
          case "y": .any(max(1, count))
          case "a": .all
          case "u": .until(call.bytes(2).map { [UInt8]($0) } ?? [])
          default: .line
          }
        let timeout = timeout(call, 3)
        return .wait(
          LuaWait { _, _, completion in
            socket.receive(kind, timeout: timeout) { bytes, failure in
              completion { call in
                guard let failure else { return call.returns(bytes) }
                call.returnsFailure(failure)
                call.returns(bytes)
              }
            }
          })
      }),
    PDKFunction("socket.close", .any, level: .internal, arguments: "number", "Closes a connection.") {
      (call) throws(LuaFault) in
      guard let number = number(call) else { return }
      call.host.startedState?.sockets.removeValue(forKey: number)?.close()
    },
    PDKFunction(
      "socket.keep", .any, level: .internal, arguments: "number, pool, milliseconds, size", "Keeps it for later."
    ) {
      (call) throws(LuaFault) in
      guard let number = number(call), let socket = call.host.startedState?.sockets[number],
        let eventLoop = call.host.eventLoop
      else { return call.returnsFailure("closed") }
      call.host.startedState?.sockets[number] = nil
      if let refusal = socket.refusalToKeep {
        socket.close()
        return call.returnsFailure(refusal)
      }
      let milliseconds = call.number(2) ?? 60_000
      let size = call.number(3).flatMap { Int(exactly: $0.rounded(.down)) } ?? SocketPools.defaultSize
      call.host.socketPools.keep(
        socket, poolName(call, 1), for: milliseconds > 0 ? .milliseconds(Int64(min(milliseconds, 1e9))) : .hours(24),
        size: max(1, min(size, SocketPools.largestSize)), on: eventLoop)
      call.returns(1)
    },
    PDKFunction("socket.reused", .any, level: .internal, arguments: "number", "How often it came from a pool.") {
      (call) throws(LuaFault) in
      guard let socket = socket(call) else { return call.returnsFailure("closed") }
      call.returns(socket.reuseCount)
    },
    .controlling(
      "udp.connect", .any, level: .internal, arguments: "host, port", "Sets the peer.",
      { (call) throws(LuaFault) in
        guard let host = call.string(0), let port = call.whole(1, in: 0...65535), let state = call.host.runningState
        else {
          throw LuaFault("no request found")
        }
        return .wait(
          LuaWait { _, eventLoop, completion in
            let socket = LuaDatagramSocket(eventLoop)
            socket.connect(host: host, port: port) { failure in
              completion { call in
                if let failure { return call.returnsFailure(failure) }
                state.lastSocket += 1
                state.datagramSockets[state.lastSocket] = socket
                call.returns(state.lastSocket)
              }
            }
          })
      }),
    .controlling(
      "udp.send", .any, level: .internal, arguments: "number, data", wants: .tables, "Sends a datagram.",
      { (call) throws(LuaFault) in
        guard let socket = datagramSocket(call) else { return closed(call) }
        let buffer = try buffer(call, 1)
        return .wait(
          LuaWait { _, _, completion in
            socket.send(buffer) { failure in
              completion { call in
                if let failure { call.returnsFailure(failure) } else { call.returns(1) }
              }
            }
          })
      }),
    .controlling(
      "udp.receive", .any, level: .internal, arguments: "number, size, timeout", "Receives a datagram.",
      { (call) throws(LuaFault) in
        guard let socket = datagramSocket(call) else { return closed(call) }
        let size = call.number(1).flatMap { Int(exactly: $0.rounded(.down)) } ?? 65535
        let timeout = timeout(call, 2)
        return .wait(
          LuaWait { _, _, completion in
            socket.receive(timeout: timeout) { bytes, failure in
              completion { call in
                guard var bytes else { return call.returnsFailure(failure ?? "closed") }
                call.returns(bytes.readSlice(length: min(max(0, size), bytes.readableBytes)) ?? ByteBuffer())
              }
            }
          })
      }),
    PDKFunction("udp.close", .any, level: .internal, arguments: "number", "Closes a socket.") {
      (call) throws(LuaFault) in
      guard let number = number(call) else { return }
      call.host.startedState?.datagramSockets.removeValue(forKey: number)?.close()
    },
  ]

  static let declarations: [PreludeFunction] = [
    PreludeFunction("ngx.socket.tcp", level: .lax, "A TCP socket, with TLS and pools of idle connections."),
    PreludeFunction("ngx.socket.stream", level: .lax, "As `tcp`."),
    PreludeFunction("ngx.socket.connect", level: .lax, arguments: "host, port, options", "A connected TCP socket."),
    PreludeFunction("ngx.socket.udp", level: .lax, "A UDP socket."),
  ]

  private static func number(_ call: LuaCall) -> Int? { call.number(0).flatMap { Int(exactly: $0) } }

  private static func socket(_ call: LuaCall) -> LuaSocket? {
    number(call).flatMap { call.host.startedState?.sockets[$0] }
  }

  private static func datagramSocket(_ call: LuaCall) -> LuaDatagramSocket? {
    number(call).flatMap { call.host.startedState?.datagramSockets[$0] }
  }

  private static func closed(_ call: LuaCall) -> LuaOutcome {
    call.returnsFailure("closed")
    return .returned
  }

  /// Connections of one plugin are of no use to another.
  private static func poolName(_ call: LuaCall, _ index: Int) -> String {
    "\(call.host.pluginName ?? "") \(call.string(index) ?? "")"
  }

  private static func timeout(_ call: LuaCall, _ index: Int) -> TimeAmount {
    let milliseconds = call.number(index) ?? 60_000
    return .milliseconds(Int64(milliseconds > 0 ? min(milliseconds, 1e9) : 60_000))
  }

  private static func buffer(_ call: LuaCall, _ index: Int) throws(LuaFault) -> ByteBuffer {
    if let bytes = call.bytes(index) { return ByteBuffer(bytes: bytes) }
    var bytes: [UInt8] = []
    try append(call.value(index), to: &bytes)
    return ByteBuffer(bytes: bytes)
  }

  private static func append(_ value: LuaValue, to bytes: inout [UInt8]) throws(LuaFault) {
    switch value {
    case .table: for item in value.list { try append(item, to: &bytes) }
    case .nil, .null, .other: throw LuaFault("bad argument #1 to 'send' (string, number or table expected)")
    default: bytes += value.scalarBytes ?? []
    }
  }
}

extension LuaRequestState {
  /// Keeps a socket until the request, or timer, is over.
  fileprivate func add(_ socket: LuaSocket) -> Int {
    lastSocket += 1
    sockets[lastSocket] = socket
    return lastSocket
  }
}

/// Idle connections of one event loop, by the plugin and the name of its pool.
final class SocketPools {
  static let defaultSize = 30
  static let largestSize = 1000
  /// Idle connections of all pools together.
  private static let limit = 4096

  private var idle: [String: [(socket: LuaSocket, end: Scheduled<Void>)]] = [:]
  private var count = 0

  /// The connection that was kept last.
  func take(_ name: String) -> LuaSocket? {
    guard let entry = idle[name]?.popLast() else { return nil }
    if idle[name]?.isEmpty == true { idle[name] = nil }
    count -= 1
    entry.end.cancel()
    entry.socket.whenUseless = nil
    return entry.socket
  }

  /// Keeps a connection for a time; the oldest of a full pool goes.
  func keep(_ socket: LuaSocket, _ name: String, for time: TimeAmount, size: Int, on eventLoop: any EventLoop) {
    while (idle[name]?.count ?? 0) >= size, let oldest = idle[name]?.first?.socket { drop(oldest, name) }
    guard count < Self.limit else { return socket.close() }
    // The pool and its sockets belong to this event loop.
    nonisolated(unsafe) let (pools, socket) = (self, socket)
    let end = eventLoop.scheduleTask(in: time) { pools.drop(socket, name) }
    idle[name, default: []].append((socket, end))
    count += 1
    socket.whenUseless = { [weak self, weak socket] in
      if let self, let socket { drop(socket, name) }
    }
    socket.rest()
  }

  private func drop(_ socket: LuaSocket, _ name: String) {
    guard let place = idle[name]?.firstIndex(where: { $0.socket === socket }) else { return }
    idle[name]?[place].end.cancel()
    idle[name]?.remove(at: place)
    if idle[name]?.isEmpty == true { idle[name] = nil }
    count -= 1
    socket.whenUseless = nil
    socket.close()
  }

  deinit {
    for entry in idle.values.joined() {
      entry.end.cancel()
      entry.socket.whenUseless = nil
      entry.socket.close()
    }
  }
}
