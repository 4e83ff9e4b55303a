import NIOCore

@testable import PluginKit
@testable import Proxy

/// Heads and bodies of HTTP/1.1 messages, cut at two places that the first bytes name. However they are cut, the same
/// message must come out.
enum HTTPTarget {
  /// What was read of a message.
  struct Message: Equatable {
    /// The parser's result, as text.
    var head: String
    var fields: [String] = []
    var body: [UInt8] = []
    var end = "none"
    /// Bytes after the body.
    var rest = 0
  }

  static func run(_ bytes: UnsafeRawBufferPointer, _ read: (UnsafeRawBufferPointer, [Int]) -> Message) {
    guard bytes.count > 2 else { return }
    let input = UnsafeRawBufferPointer(rebasing: bytes[2...])
    let cuts = [Int(bytes[0]) * input.count / 256, Int(bytes[1]) * input.count / 256].sorted()
    let whole = read(input, [])
    let cut = read(input, cuts)
    precondition(whole == cut, "the result depends on where the bytes are cut: \(whole), \(cut)")
  }

  static func readRequest(_ input: UnsafeRawBufferPointer, cuts: [Int]) -> Message {
    var parser = HTTP1RequestParser()
    var result = HTTP1RequestParser.Result.needsMore
    for end in cuts + [input.count] where result == .needsMore {
      result = parser.parse(UnsafeRawBufferPointer(rebasing: input[..<end]))
    }
    guard case .head(let head) = result else { return Message(head: "\(result)") }
    precondition(head.target.upperBound <= head.length)
    return readBody(input, cuts, head: "\(result)", length: head.length, parser.fields, head.body)
  }

  static func readResponse(_ input: UnsafeRawBufferPointer, cuts: [Int]) -> Message {
    var parser = HTTP1ResponseParser()
    var result = HTTP1ResponseParser.Result.needsMore
    for end in cuts + [input.count] where result == .needsMore {
      result = parser.parse(UnsafeRawBufferPointer(rebasing: input[..<end]))
    }
    guard case .head(let head) = result else { return Message(head: "\(result)") }
    return readBody(input, cuts, head: "\(result)", length: head.length, parser.fields, head.body)
  }

  private static func readBody(
    _ input: UnsafeRawBufferPointer, _ cuts: [Int], head: String, length: Int, _ fields: [HeaderBlock.Entry],
    _ body: HTTP1Fields.BodyLength
  ) -> Message {
    precondition(length <= input.count)
    var message = Message(head: head)
    message.fields = fields.map { field in
      let end = Int(field.valueOffset) + Int(field.valueLength)
      precondition(end <= length)
      return String(decoding: input[Int(field.nameOffset)..<end], as: UTF8.self)
    }
    var decoder = HTTP1BodyDecoder(body)
    var buffer = ByteBuffer()
    var start = length
    for end in cuts + [input.count] where end >= start {
      buffer.writeBytes(input[start..<end])
      start = end
      while let piece = decoder.next(&buffer) { message.body.append(contentsOf: piece.readableBytesView) }
    }
    message.end = decoder.isMalformed ? "malformed" : decoder.isFinished ? "finished" : "open"
    message.rest = decoder.isMalformed ? 0 : buffer.readableBytes
    precondition(message.body.count <= input.count - length)
    return message
  }
}
