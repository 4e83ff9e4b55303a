import Dispatch
import NIOCore
import Synchronization

/// A fixed number of epoll loops, each with a thread of its own.
public final class EpollEventLoopGroup: EventLoopGroup {
  public let loops: [EpollEventLoop]
  private let turn = Atomic<Int>(0)

  /// - Throws: `IOError` when the system has no descriptors or threads left.
  public init(numberOfThreads: Int) throws {
    precondition(numberOfThreads > 0)
    var loops: [EpollEventLoop] = []
    do {
      for index in 0..<numberOfThreads { loops.append(try EpollEventLoop(index: index)) }
    } catch {
      for loop in loops { loop.stop {} }
      throw error
    }
    self.loops = loops
  }

  public func next() -> any EventLoop { nextLoop() }

  /// One after the other.
  public func nextLoop() -> EpollEventLoop {
    loops[Int(UInt(bitPattern: turn.add(1, ordering: .relaxed).oldValue) % UInt(loops.count))]
  }

  public func makeIterator() -> EventLoopIterator { EventLoopIterator(loops) }

  /// Closes every connection and ends the threads. May be called again.
  public func shutdownGracefully(queue: DispatchQueue, _ callback: @escaping @Sendable ((any Error)?) -> Void) {
    let ended = DispatchGroup()
    for loop in loops {
      ended.enter()
      loop.stop { ended.leave() }
    }
    ended.notify(queue: queue) { callback(nil) }
  }
}
