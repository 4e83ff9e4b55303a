import PluginKit

/// What a head says of its own connection and body.
struct HTTP1Fields {
  enum BodyLength: Equatable {
    case none
    case fixed(Int)
    case chunked
    /// Until the sender closes: responses only.
    case untilClose
  }

  /// Options of `Connection` that mean something to us.
  struct ConnectionOptions: OptionSet {
    let rawValue: UInt8
    static let close = ConnectionOptions(rawValue: 1)
    static let keepAlive = ConnectionOptions(rawValue: 2)
    static let upgrade = ConnectionOptions(rawValue: 4)
    /// Names fields that must not be passed on.
    static let namesFields = ConnectionOptions(rawValue: 8)
  }

  var contentLength: Int?
  var hasTransferEncoding = false
  var isChunked = false
  var connection: ConnectionOptions = []
  var hostCount = 0
  var isHostValid = true
  var expectsContinue = false
  var hasUpgrade = false

  enum Problem {
    case malformed
    /// A transfer coding other than chunked.
    case unknownCoding
  }

  /// Takes in one field.
  @inline(__always)
  mutating func note(_ field: KnownField, value: UnsafeRawBufferPointer) -> Problem? {
    switch field {
    case .host:
      hostCount += 1
      if !Self.isValidHost(value) { isHostValid = false }
    case .expect: if value.isText("100-continue") { expectsContinue = true }
    case .upgrade: hasUpgrade = true
    case .connection: noteConnection(value)
    case .contentLength:
      guard contentLength == nil, let length = value.decimal else { return .malformed }
      contentLength = length
    case .transferEncoding:
      guard !hasTransferEncoding else { return .malformed }
      hasTransferEncoding = true
      guard value.isText("chunked") else { return .unknownCoding }
      isChunked = true
    default: break
    }
    return nil
  }

  private mutating func noteConnection(_ value: UnsafeRawBufferPointer) {
    // What nearly all say.
    if value.isText("keep-alive") {
      connection.insert(.keepAlive)
      return
    }
    var options = connection
    value.forEachListMember { member in
      if member.isText("keep-alive") {
        options.insert(.keepAlive)
      } else if member.isText("close") {
        options.insert(.close)
      } else if member.isText("upgrade") {
        options.insert(.upgrade)
      } else {
        options.insert(.namesFields)
      }
    }
    connection = options
  }

  /// Refuses what can mean different hosts to different readers; otherwise any name goes, as in Kong.
  static func isValidHost(_ value: UnsafeRawBufferPointer) -> Bool {
    if value.isEmpty { return false }
    var previous: UInt8 = 0
    for byte in value {
      if HTTPCharacters.isForbiddenInHost(byte) || (byte == UInt8(ascii: ".") && previous == byte) { return false }
      previous = byte
    }
    return true
  }
}
