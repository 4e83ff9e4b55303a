import CEpoll
import NIOCore

extension StreamChannel: ChannelCore {
  public func localAddress0() throws -> SocketAddress {
    guard let localAddress else { throw ChannelError.unknownLocalAddress }
    return localAddress
  }

  public func remoteAddress0() throws -> SocketAddress {
    guard let remoteAddress else { throw ChannelError.ioOnClosedChannel }
    return remoteAddress
  }

  /// The socket is watched from the time it is connected or connecting.
  public func register0(promise: EventLoopPromise<Void>?) {
    guard phase == .created, !isRegistered else {
      promise?.fail(ChannelError.inappropriateOperationForState)
      return
    }
    isRegistered = true
    promise?.succeed()
    events.fireChannelRegistered()
  }

  public func bind0(to address: SocketAddress, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }

  public func connect0(to address: SocketAddress, promise: EventLoopPromise<Void>?) { connect(address, promise) }

  public func write0(_ data: NIOAny, promise: EventLoopPromise<Void>?) {
    if let bytes = tryUnwrapData(data, as: ByteBuffer.self) {
      enqueue(bytes, promise)
    } else if case .byteBuffer(let bytes) = tryUnwrapData(data, as: IOData.self) {
      enqueue(bytes, promise)
    } else {
      promise?.fail(ChannelError.operationUnsupported)
    }
  }

  public func close0(error: any Error, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    switch mode {
    case .all: closeAll(error, promise)
    case .output: closeOutput(promise)
    case .input: closeInput(promise)
    }
  }

  public func triggerUserOutboundEvent0(_ event: Any, promise: EventLoopPromise<Void>?) {
    promise?.fail(ChannelError.operationUnsupported)
  }

  /// Bytes that no handler took.
  public func channelRead0(_ data: NIOAny) {}

  /// Errors that no handler took; those of the socket close the channel anyway.
  public func errorCaught0(error: any Error) {}
}

extension StreamChannel {
  public func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) -> EventLoopFuture<Void> {
    if loop.inEventLoop { return loop.makeCompletedFuture { try setOption0(option, value: value) } }
    return loop.submit { try self.setOption0(option, value: value) }
  }

  public func getOption<Option: ChannelOption>(_ option: Option) -> EventLoopFuture<Option.Value> {
    if loop.inEventLoop { return loop.makeCompletedFuture { try getOption0(option) } }
    return loop.submit { try self.getOption0(option) }
  }

  public var syncOptions: (any NIOSynchronousChannelOptions)? { SynchronousOptions(channel: self) }

  private struct SynchronousOptions: NIOSynchronousChannelOptions {
    let channel: StreamChannel

    func setOption<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
      try channel.setOption0(option, value: value)
    }

    func getOption<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
      try channel.getOption0(option)
    }
  }

  private func setOption0<Option: ChannelOption>(_ option: Option, value: Option.Value) throws {
    guard phase != .closed else { throw ChannelError.ioOnClosedChannel }
    switch (option, value) {
    case (let option as ChannelOptions.Types.SocketOption, let value as SocketOptionValue):
      _ = try EpollEventLoop.checked(
        slu_set_option(descriptor, option.optionLevel.rawValue, option.optionName.rawValue, CInt(value)), "setsockopt")
    case (is ChannelOptions.Types.AutoReadOption, let value as Bool):
      options.autoRead = value
      if value { askForBytes() } else { readIsWanted = false }
    case (is ChannelOptions.Types.AllowRemoteHalfClosureOption, let value as Bool):
      options.allowsRemoteHalfClosure = value
    case (
      is ChannelOptions.Types.WriteBufferWaterMarkOption, let value as ChannelOptions.Types.WriteBufferWaterMark
    ):
      options.waterMark = value
      updateWritability()
    case (is ChannelOptions.Types.MaxMessagesPerReadOption, let value as UInt):
      options.readsPerEvent = max(1, Int(clamping: value))
    case (is ChannelOptions.Types.ConnectTimeoutOption, let value as TimeAmount?):
      connectTimeout = value
    default: throw ChannelError.operationUnsupported
    }
  }

  private func getOption0<Option: ChannelOption>(_ option: Option) throws -> Option.Value {
    guard phase != .closed else { throw ChannelError.ioOnClosedChannel }
    let value: Any
    switch option {
    case let option as ChannelOptions.Types.SocketOption:
      var number: CInt = 0
      _ = try EpollEventLoop.checked(
        slu_get_option(descriptor, option.optionLevel.rawValue, option.optionName.rawValue, &number), "getsockopt")
      value = SocketOptionValue(number)
    case is ChannelOptions.Types.AutoReadOption: value = options.autoRead
    case is ChannelOptions.Types.AllowRemoteHalfClosureOption: value = options.allowsRemoteHalfClosure
    case is ChannelOptions.Types.WriteBufferWaterMarkOption: value = options.waterMark
    case is ChannelOptions.Types.MaxMessagesPerReadOption: value = UInt(options.readsPerEvent)
    case is ChannelOptions.Types.AllocatorOption: value = allocator
    case is ChannelOptions.Types.BufferedWritableBytesOption: value = pending.byteCount
    default: throw ChannelError.operationUnsupported
    }
    guard let result = value as? Option.Value else { throw ChannelError.operationUnsupported }
    return result
  }
}
