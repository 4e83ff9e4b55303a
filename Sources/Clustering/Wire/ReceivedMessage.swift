/// A configuration's message as it came in.
enum ReceivedMessage: Sendable {
  case segmented(SegmentedMessage)
  /// Of a control plane that knows nothing of segments.
  case plain([UInt8])

  init(_ bytes: [UInt8]) {
    if let message = SegmentedMessage(bytes) { self = .segmented(message) } else { self = .plain(bytes) }
  }

  /// The whole message as gzip, made anew where it came in segments.
  var bytes: [UInt8] {
    switch self {
    case .segmented(let message): message.bytes
    case .plain(let bytes): bytes
    }
  }
}
