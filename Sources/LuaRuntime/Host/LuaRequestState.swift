import NIOCore

/// What plugins keep for one request.
final class LuaRequestState {
  let host: LuaHost
  /// Lua table of `kong.ctx.shared`, `kong.ctx.plugin` of each instance and `ngx.ctx`.
  var reference = luaNoReference
  /// Response chunks that an instance's body_filter holds back, by its key.
  var bufferedBodies: [Int: ByteBuffer] = [:]
  /// Bytes that earlier calls of the request have added to the memory of plugins.
  var memory: Int64 = 0
  /// Open client sockets by their number.
  var sockets: [Int: LuaSocket] = [:]
  var datagramSockets: [Int: LuaDatagramSocket] = [:]
  var lastSocket = 0
  /// The client's token, as a plugin that authenticates has kept it.
  var token: String?
  /// Numbers of the light threads that have not ended.
  var threads: Set<Int> = []
  var nextThread = 1
  /// Tokens of those who wait for threads.
  var joins: Set<Int> = []
  /// Goes up when the threads of a phase are ended from outside.
  var threadGeneration = 0
  /// The phase's function has ended, but not its threads.
  var isWaitingForThreads = false

  init(_ host: LuaHost) { self.host = host }

  deinit {
    host.release(reference)
    for socket in sockets.values { socket.close() }
    for socket in datagramSockets.values { socket.close() }
  }
}
