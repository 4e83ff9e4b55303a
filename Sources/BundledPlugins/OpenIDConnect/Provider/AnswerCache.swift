import Crypto

/// Answers of a provider that are kept for a while, and the requests for them that are under way.
///
/// Confined to its event loop. Bounded: when it is full, what is over goes first, then the half that was kept longest.
final class AnswerCache<Answer> {
  typealias Key = [UInt8]

  private struct Entry {
    let answer: Answer
    /// Seconds since the epoch.
    let endsAt: Int64
    let number: UInt64
  }

  private let capacity: Int
  private var entries: [Key: Entry] = [:]
  private var waiting: [Key: [(Answer) -> Void]] = [:]
  private var count: UInt64 = 0

  init(capacity: Int = 10_000) { self.capacity = capacity }

  /// A key for texts, none of which can be told from it.
  static func key(_ texts: [String?]) -> Key {
    var hash = SHA256()
    for text in texts {
      let bytes = Array((text ?? "").utf8)
      withUnsafeBytes(of: (text == nil ? -1 : Int64(bytes.count)).littleEndian) { hash.update(bufferPointer: $0) }
      hash.update(data: bytes)
    }
    return Array(hash.finalize())
  }

  /// Gives the kept answer, or asks for it; requests for the same answer wait for the first.
  ///
  /// - Parameters:
  ///   - key: nil for an answer that is not kept.
  ///   - ask: calls back once with the answer and until when it is kept, nil for not at all.
  func answer(
    for key: Key?, at now: Int64, ask: (@escaping (Answer, _ endsAt: Int64?) -> Void) -> Void,
    then: @escaping (Answer) -> Void
  ) {
    guard let key else { return ask { answer, _ in then(answer) } }
    if let entry = entries[key] {
      if now < entry.endsAt { return then(entry.answer) }
      entries[key] = nil
    }
    if waiting[key] != nil {
      waiting[key]?.append(then)
      return
    }
    waiting[key] = [then]
    ask { answer, endsAt in
      if let endsAt, endsAt > now { self.keep(answer, for: key, until: endsAt, now) }
      for completion in self.waiting.removeValue(forKey: key) ?? [] { completion(answer) }
    }
  }

  func forget(_ key: Key) { entries[key] = nil }

  private func keep(_ answer: Answer, for key: Key, until endsAt: Int64, _ now: Int64) {
    if entries.count >= capacity {
      entries = entries.filter { now < $0.value.endsAt }
      if entries.count >= capacity {
        let limit = count - UInt64(min(capacity / 2, Int(clamping: count)))
        entries = entries.filter { $0.value.number > limit }
      }
    }
    count += 1
    entries[key] = Entry(answer: answer, endsAt: endsAt, number: count)
  }
}
