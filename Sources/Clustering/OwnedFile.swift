#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// A file operation that failed, with the system's reason.
public struct FileFailure: Error, Sendable, CustomStringConvertible {
  public let operation: String
  public let path: String
  /// The system's error number.
  public let code: Int32

  public var description: String {
    code == EEXIST
      ? "\(path) exists already and is left as it is"
      : "cannot \(operation) \(path): \(String(cString: strerror(code)))"
  }
}

/// Files whose mode and completeness matter: certificates, keys, the last-good copy.
enum OwnedFile {
  /// Creates a file with these contents on the disk; an existing one is an error.
  static func create(_ path: String, contents: [UInt8], mode: mode_t) throws(FileFailure) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw FileFailure(operation: "create", path: path, code: errno) }
    do throws(FileFailure) {
      // The mode given to open() is narrowed by the umask; the intended one is set here.
      guard fchmod(descriptor, mode) == 0 else { throw FileFailure(operation: "protect", path: path, code: errno) }
      var written = 0
      while written < contents.count {
        let count = contents.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count < 0 {
          if errno == EINTR { continue }
          throw FileFailure(operation: "write", path: path, code: errno)
        }
        written += count
      }
      guard fsync(descriptor) == 0 else { throw FileFailure(operation: "write", path: path, code: errno) }
    } catch {
      close(descriptor)
      unlink(path)
      throw error
    }
    close(descriptor)
  }

  /// Puts new contents in the place of a file so that either the old or the new ones are there after a crash.
  static func replace(_ path: String, contents: [UInt8], mode: mode_t) throws(FileFailure) {
    let temporary = "\(path).\(getpid()).new"
    unlink(temporary)
    try create(temporary, contents: contents, mode: mode)
    try rename(temporary, to: path)
    let directory = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let descriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(operation: "open", path: directory, code: errno) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw FileFailure(operation: "write", path: directory, code: errno) }
  }

  static func rename(_ path: String, to other: String) throws(FileFailure) {
    #if canImport(Glibc)
    let status = Glibc.rename(path, other)
    #elseif canImport(Musl)
    let status = Musl.rename(path, other)
    #else
    let status = Darwin.rename(path, other)
    #endif
    guard status == 0 else { throw FileFailure(operation: "rename", path: path, code: errno) }
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func remove(_ path: String) { unlink(path) }

  /// The contents of a file, nil where there is none.
  static func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)
    if descriptor < 0 {
      if errno == ENOENT { return nil }
      throw FileFailure(operation: "open", path: path, code: errno)
    }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = chunk.withUnsafeMutableBytes { systemRead(descriptor, $0) }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileFailure(operation: "read", path: path, code: errno)
      }
      if count == 0 { return contents }
      guard contents.count + count <= limit else { throw FileFailure(operation: "read", path: path, code: EFBIG) }
      contents.append(contentsOf: chunk[..<count])
    }
  }

  private static func systemRead(_ descriptor: Int32, _ buffer: UnsafeMutableRawBufferPointer) -> Int {
    #if canImport(Glibc)
    Glibc.read(descriptor, buffer.baseAddress, buffer.count)
    #elseif canImport(Musl)
    Musl.read(descriptor, buffer.baseAddress, buffer.count)
    #else
    Darwin.read(descriptor, buffer.baseAddress, buffer.count)
    #endif
  }
}
