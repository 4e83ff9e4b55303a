import CJQ
import Foundation

/// One compiled state of libjq.
///
/// Sound: used by one thread at a time, which the list of idle states and `JQDeadline`'s lock see to.
final class JQState: @unchecked Sendable {
  private let handle: OpaquePointer
  private(set) var isBroken = false

  private init(_ handle: OpaquePointer) { self.handle = handle }

  // Constants of the program may nest deeply, so it is freed where the stack is deep.
  deinit {
    let address = UInt(bitPattern: handle)
    JQThreads.shared.perform { sluice_jq_free(OpaquePointer(bitPattern: address)) }
  }

  /// Compiles the text; on a thread with a deep stack only.
  static func make(_ source: String) -> Result<JQState, JQError> {
    guard isContained else {
      return .failure(.fault("this build of libjq cannot be contained: its allocator is not replaceable"))
    }
    if source.utf8.contains(0) { return .failure(.invalidProgram("the program contains a NUL character")) }
    var message: UnsafeMutablePointer<CChar>?
    let handle = sluice_jq_compile(source, JQProgram.memoryLimit, &message)
    if let handle { return .success(JQState(handle)) }
    defer { free(message) }
    return .failure(.invalidProgram(message.map { tidied(String(cString: $0)) } ?? "out of memory"))
  }

  /// Bytes of an error's message that are kept.
  private static let messageLimit = 2048

  /// Without the blanks that libjq fills lines with.
  private static func tidied(_ message: String) -> String {
    message.split(separator: "\n").map { line in
      var line = line
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n").replacing(" (Unix shell quoting issues?)", with: "")
  }

  private static let isContained = sluice_jq_is_contained() != 0

  func run(_ input: [UInt8], _ deadline: JQDeadline) -> Result<[UInt8]?, JQError> {
    var output: UnsafeMutablePointer<CChar>?
    var length = 0
    deadline.begin(handle)
    let status = input.withUnsafeBytes { bytes in
      sluice_jq_run(
        handle, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(bytes.count), &output, &length)
    }
    deadline.end()
    defer { free(output) }
    let bytes = output.map { Array(UnsafeRawBufferPointer(start: $0, count: length)) } ?? []
    switch UInt32(status) {
    case SLUICE_JQ_RESULT.rawValue: return .success(bytes)
    case SLUICE_JQ_EMPTY.rawValue: return .success(nil)
    case SLUICE_JQ_ERROR.rawValue:
      return .failure(.raised(String(decoding: bytes.prefix(Self.messageLimit), as: UTF8.self)))
    case SLUICE_JQ_STOPPED.rawValue: return .failure(.timeout)
    case SLUICE_JQ_MEMORY.rawValue:
      isBroken = true
      return .failure(.outOfMemory)
    default:
      isBroken = true
      return .failure(.fault(String(decoding: bytes, as: UTF8.self)))
    }
  }
}
