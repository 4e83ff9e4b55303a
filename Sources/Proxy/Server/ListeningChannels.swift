import NIOCore
import Synchronization

/// The listening sockets of a server. Touched at start and stop only.
final class ListeningChannels: Sendable {
  private let channels = Mutex<[any Channel]>([])

  func append(_ channel: any Channel) { channels.withLock { $0.append(channel) } }

  func removeAll() -> [any Channel] {
    channels.withLock { channels in
      defer { channels = [] }
      return channels
    }
  }
}
