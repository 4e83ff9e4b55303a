import NIOCore

@testable import Proxy

/// Heads and bodies of HTTP/1.1 requests, cut at two places that the first bytes name. However they are cut, the same
/// requests must come out.
enum RequestTargetReader {
  static func run(_ bytes: UnsafeRawBufferPointer) {
    guard bytes.count > 2 else { return }
    let input = UnsafeRawBufferPointer(rebasing: bytes[2...])
    let cuts = [Int(bytes[0]) * input.count / 256, Int(bytes[1]) * input.count / 256].sorted()
    let whole = read(input, cuts: [])
    let cut = read(input, cuts: cuts)
    precondition(whole == cut, "the result depends on where the bytes are cut")
  }

  private static func read(_ input: UnsafeRawBufferPointer, cuts: [Int]) -> HTTP1RequestParser.Result {
    var parser = HTTP1RequestParser()
    var result = HTTP1RequestParser.Result.needsMore
    for end in cuts + [input.count] {
      result = parser.parse(UnsafeRawBufferPointer(rebasing: input[..<end]))
      if result != .needsMore { break }
    }
    guard case .head(let head) = result else { return result }
    precondition(head.length <= input.count)
    precondition(head.target.upperBound <= head.length)
    for field in parser.fields { precondition(field.valueOffset + field.valueLength <= head.length) }
    var decoder = HTTP1BodyDecoder(head.body)
    var rest = ByteBuffer(bytes: input[head.length...])
    var taken = 0
    while let piece = decoder.next(&rest) { taken += piece.readableBytes }
    precondition(taken <= input.count)
    return result
  }
}
