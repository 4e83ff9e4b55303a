import EpollTransport
import Synchronization

/// The listening sockets of a server. Touched at start and stop only.
final class ListeningChannels: Sendable {
  private let listeners = Mutex<[Listener]>([])

  func append(_ listener: Listener) { listeners.withLock { $0.append(listener) } }

  func removeAll() -> [Listener] {
    listeners.withLock { listeners in
      defer { listeners = [] }
      return listeners
    }
  }
}
