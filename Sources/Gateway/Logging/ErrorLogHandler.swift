import Foundation
import Logging

/// Writes log lines in the form of nginx's error log: `2026/01/31 12:00:00 [error] 123#0: message`.
public struct ErrorLogHandler: LogHandler {
  public var metadata: Logger.Metadata = [:]
  /// The level of all loggers of the process; a value set on one logger holds for that one only.
  public var logLevel: Logger.Level {
    get { override ?? control.level }
    set { override = newValue }
  }
  private var override: Logger.Level?
  private let control: LogLevelControl
  private let file: LogFile

  init(file: LogFile, control: LogLevelControl) {
    self.file = file
    self.control = control
  }

  public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  public func log(event: LogEvent) {
    var line = Self.timestamp(Date())
    line += " [\(Self.name(of: event.level))] \(ProcessInfo.processInfo.processIdentifier)#0: "
    // One entry is one line, whatever a plugin or a peer put into it.
    for scalar in event.message.description.unicodeScalars {
      switch scalar {
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      default: line.unicodeScalars.append(scalar)
      }
    }
    let all = metadata.merging(event.metadata ?? [:]) { _, new in new }
    for key in all.keys.sorted() { line += ", \(key): \(all[key]!)" }
    file.write(line)
  }

  /// Kong's names of the levels, as `log_level` takes them.
  static func name(of level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "debug"
    case .info: "info"
    case .notice: "notice"
    case .warning: "warn"
    case .error: "error"
    case .critical: "crit"
    }
  }

  public static func level(named name: String) -> Logger.Level? {
    switch name {
    case "debug": .debug
    case "info": .info
    case "notice": .notice
    case "warn": .warning
    case "error": .error
    case "crit", "alert", "emerg": .critical
    default: nil
    }
  }

  private static func timestamp(_ date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970)
    var parts = tm()
    localtime_r(&seconds, &parts)
    func two(_ value: Int32) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return "\(parts.tm_year + 1900)/\(two(parts.tm_mon + 1))/\(two(parts.tm_mday)) "
      + "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
  }
}
