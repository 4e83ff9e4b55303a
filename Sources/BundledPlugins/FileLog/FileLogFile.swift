import Dispatch
import Foundation
import Logging
import Synchronization

/// A file that log lines are appended to, one `write` a line, away from the event loops.
///
/// Shared by all instances with the path, and by snapshots that follow one another; it stays open once it was opened.
final class FileLogFile: Sendable {
  /// Lines that may wait to be written; further ones are dropped.
  static let maximumWaiting = 100_000

  private static let files = Mutex<[String: FileLogFile]>([:])

  private let path: String
  private let queue: DispatchQueue
  /// Taken on `queue` only, so never waited for.
  private let descriptor = Mutex<Int32>(-1)
  private let waiting = Atomic<Int>(0)
  /// Lines are dropped; told once until there is room again.
  private let isFull = Atomic<Bool>(false)

  static func file(at path: String) -> FileLogFile {
    files.withLock { files in
      if let known = files[path] { return known }
      let file = FileLogFile(path)
      files[path] = file
      return file
    }
  }

  private init(_ path: String) {
    self.path = path
    queue = DispatchQueue(label: "file-log \(path)")
  }

  /// Takes a whole line.
  ///
  /// - Parameter reopens: opens the file anew, so that one that was moved away gets no more lines.
  func append(_ line: [UInt8], reopens: Bool, logger: Logger) {
    guard waiting.add(1, ordering: .relaxed).newValue <= Self.maximumWaiting else {
      waiting.subtract(1, ordering: .relaxed)
      if !isFull.exchange(true, ordering: .relaxed) {
        logger.error("file-log: \(Self.maximumWaiting) lines wait to be written to \(path), further ones are lost")
      }
      return
    }
    queue.async {
      self.write(line, reopens: reopens, logger: logger)
      self.waiting.subtract(1, ordering: .relaxed)
      self.isFull.store(false, ordering: .relaxed)
    }
  }

  private func write(_ line: [UInt8], reopens: Bool, logger: Logger) {
    descriptor.withLock { descriptor in
      if reopens, descriptor >= 0 {
        close(descriptor)
        descriptor = -1
      }
      if descriptor < 0 {
        descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        if descriptor < 0 {
          logger.error("file-log: failed to open the file \(path): \(String(cString: strerror(errno)))")
          return
        }
      }
      var written = 0
      while written < line.count {
        let count = line.withUnsafeBytes { bytes in
          Foundation.write(descriptor, bytes.baseAddress?.advanced(by: written), line.count - written)
        }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else {
          logger.error("file-log: failed to write to \(path): \(String(cString: strerror(errno)))")
          return
        }
        written += count
      }
    }
  }

  /// Returns when everything taken so far is written.
  func flush() { queue.sync {} }

  /// Returns when everything that any file has taken so far is written.
  static func flushAll() async {
    for file in files.withLock({ Array($0.values) }) {
      await withCheckedContinuation { continuation in file.queue.async { continuation.resume() } }
    }
  }
}
