import Foundation
import Synchronization

/// A log file opened for appending; each line is one `write`, so that lines of several writers never mix.
///
/// Usable from any thread. A write that fails (disk full) loses the line and nothing else.
public final class LogFile: Sendable {
  /// Nil for the process's own standard error.
  private let path: String?
  private let descriptor: Mutex<Int32>

  /// Opens `path`, making missing directories; `/dev/stderr` and `/dev/stdout` are the process's own streams.
  ///
  /// - Throws: `LogFileError` saying which path and why.
  public init(path: String) throws(LogFileError) {
    switch path {
    case "/dev/stderr":
      self.path = nil
      descriptor = Mutex(STDERR_FILENO)
    case "/dev/stdout":
      self.path = nil
      descriptor = Mutex(STDOUT_FILENO)
    default:
      self.path = path
      descriptor = Mutex(try Self.open(path))
    }
  }

  private static func open(_ path: String) throws(LogFileError) -> Int32 {
    let directory = (path as NSString).deletingLastPathComponent
    if !directory.isEmpty {
      try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }
    let descriptor = Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw LogFileError(path: path, reason: String(cString: strerror(errno))) }
    return descriptor
  }

  public func write(_ line: String) {
    var line = line
    line.append("\n")
    line.withUTF8 { bytes in
      descriptor.withLock { descriptor in
        var offset = 0
        while offset < bytes.count {
          let written = Foundation.write(descriptor, bytes.baseAddress! + offset, bytes.count - offset)
          if written > 0 {
            offset += written
          } else if errno != EINTR {
            return
          }
        }
      }
    }
  }

  /// Opens the path anew after log rotation; keeps the old file if that fails.
  public func reopen() {
    guard let path, let fresh = try? Self.open(path) else { return }
    descriptor.withLock { descriptor in
      close(descriptor)
      descriptor = fresh
    }
  }
}

/// Why a log file cannot be written.
public struct LogFileError: Error, CustomStringConvertible {
  public let path: String
  public let reason: String

  public var description: String { "cannot open log file \(path): \(reason)" }
}
