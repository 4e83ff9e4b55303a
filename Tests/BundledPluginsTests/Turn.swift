import Synchronization

/// Counts what a server of a test has done, from 0.
final class Turn: Sendable {
  private let count = Atomic<Int>(0)

  func next() -> Int { count.add(1, ordering: .relaxed).oldValue }
}
