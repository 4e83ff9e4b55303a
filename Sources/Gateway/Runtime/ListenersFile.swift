import EntityModel
import Foundation
import Synchronization

/// The addresses that a node really listens on, written to `<prefix>/listeners.json` when all of them are open.
///
/// For scripts and tests that let the system choose ports.
final class ListenersFile: Sendable {
  private let path: String
  private let expected: Int
  private let listeners = Mutex<[String: [JSONValue]]>([:])

  /// - Parameter expected: number of addresses after which the file is written.
  init(prefix: String, expected: Int) {
    path = prefix + "/listeners.json"
    self.expected = expected
    unlink(path)
    if expected == 0 { write([:]) }
  }

  func add(_ kind: String, host: String, port: Int) {
    let complete = listeners.withLock { listeners in
      listeners[kind, default: []].append(["host": .string(host), "port": .integer(Int64(port))])
      return listeners.values.reduce(0) { $0 + $1.count } == expected ? listeners : nil
    }
    if let complete { write(complete) }
  }

  private func write(_ listeners: [String: [JSONValue]]) {
    let document = JSONValue.object(listeners.mapValues { .array($0) })
    try? Data(document.serialized()).write(to: URL(fileURLWithPath: path), options: .atomic)
  }

  func remove() { unlink(path) }
}
